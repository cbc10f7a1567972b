import { type FileHandle, open, stat } from 'node:fs/promises'
import { CliError, usageError } from '../cli-error.ts'
import { jsonLine } from '../json-line.ts'
import type { ImportInput } from './import-input.ts'
import type { Reject } from './import-tally.ts'

/** The records that are not imported, one JSON object per line, with their original text, so that they can be corrected. */
export class RejectsFile {
  readonly path: string
  bytes: number
  readonly #handle: FileHandle

  private constructor(path: string, handle: FileHandle, bytes: number) {
    this.path = path
    this.#handle = handle
    this.bytes = bytes
  }

  /**
   * @param keepBytes length that an interrupted import has recorded in its checkpoint; the rest is truncated
   * @throws {CliError} if it cannot be written, or is one of the inputs
   */
  static async open(path: string, inputs: readonly ImportInput[], keepBytes: number): Promise<RejectsFile> {
    for (const { file, name } of inputs) {
      if (file !== undefined && (await isSameFile(path, file.path))) {
        throw usageError(`--rejects ${path} would overwrite an input: ${name}.`)
      }
    }
    try {
      const handle = await open(path, 'a')
      await handle.truncate(keepBytes)
      return new RejectsFile(path, handle, keepBytes)
    } catch (error) {
      throw new CliError(`--rejects ${path} cannot be written: ${(error as Error).message}`, 1, { cause: error })
    }
  }

  /** Whether it still contains what an interrupted import had written. */
  static async has(path: string, bytes: number): Promise<boolean> {
    const stats = await stat(path).catch(() => undefined)
    return stats !== undefined && stats.size >= bytes
  }

  async write(rejects: readonly Reject[], inputs: readonly ImportInput[]): Promise<void> {
    if (rejects.length === 0) return
    const lines = rejects.map(({ input, record, refusal }) => {
      const { code, detail } = refusal
      return `${jsonLine({ file: inputs[input]?.name, line: record.line, code, detail, text: record.text })}\n`
    })
    const bytes = Buffer.from(lines.join(''))
    await this.#handle.appendFile(bytes)
    this.bytes += bytes.length
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([stat(a).catch(() => undefined), stat(b).catch(() => undefined)])
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino
}
