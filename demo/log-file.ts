import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { cutText } from './click.ts'
import { DemoError } from './demo-error.ts'

/** A longer line is cut here: no request line that a server takes comes near it, and what holds no line is no log. */
const maxLineBytes = 65_536
const chunkBytes = 262_144
const newline = 0x0a

/**
 * A log on disk, plain or gzip (told by its first bytes, not its name), that can be read more than once with the same
 * result: one open handle and the size at the start, so that lines which a server appends meanwhile, or a rotation, do
 * not show. Close it.
 */
export class LogFile {
  readonly path: string
  readonly sizeBytes: number
  /** How much of the file the last reading has taken from disk. */
  bytesRead = 0
  readonly #handle: FileHandle
  readonly #isGzip: boolean

  private constructor(path: string, sizeBytes: number, handle: FileHandle, isGzip: boolean) {
    this.path = path
    this.sizeBytes = sizeBytes
    this.#handle = handle
    this.#isGzip = isGzip
  }

  /** @throws {DemoError} where the file is missing, empty, no ordinary file, or not ours to read */
  static async open(path: string): Promise<LogFile> {
    const handle = await open(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw new DemoError(`${path} is not an ordinary file. Give a log that can be read twice.`)
      if (stats.size === 0) throw new DemoError(`${path} is empty.`)
      const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0)
      return new LogFile(path, stats.size, handle, buffer[0] === 0x1f && buffer[1] === 0x8b)
    } catch (error) {
      await handle.close()
      throw error instanceof DemoError ? error : unreadable(path, error)
    }
  }

  /**
   * The lines from the first to the last, as many at a time as a read gives. Bytes that are not UTF-8 become U+FFFD.
   *
   * @throws {DemoError} where the file can't be read to its end, as with damaged gzip data
   */
  async *lines(): AsyncGenerator<string[]> {
    try {
      yield* splitLines(this.#isGzip ? inflate(this.#bytes()) : this.#bytes())
    } catch (error) {
      throw unreadable(this.path, error)
    }
  }

  // Not createReadStream: to destroy such a stream closes the handle, whatever autoClose says.
  async *#bytes(): AsyncGenerator<Buffer> {
    this.bytesRead = 0
    while (this.bytesRead < this.sizeBytes) {
      const length = Math.min(chunkBytes, this.sizeBytes - this.bytesRead)
      const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(length), 0, length, this.bytesRead)
      // Somebody has cut the file off since it was opened.
      if (bytesRead === 0) return
      this.bytesRead += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

async function* inflate(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const deflated = Readable.from(bytes, { objectMode: false })
  const inflated = createGunzip({ chunkSize: chunkBytes })
  deflated.on('error', (error) => inflated.destroy(error))
  try {
    yield* deflated.pipe(inflated)
  } finally {
    deflated.destroy()
    inflated.destroy()
  }
}

async function* splitLines(bytes: AsyncIterable<Buffer>): AsyncGenerator<string[]> {
  let begun: Buffer = Buffer.alloc(0)
  for await (const chunk of bytes) {
    const end = chunk.lastIndexOf(newline)
    if (end === -1) {
      // What is beyond the limit is let go, so that a file without newlines takes no more memory than a line.
      if (begun.length < maxLineBytes) begun = withoutHole(Buffer.concat([begun, chunk]))
      continue
    }
    const whole = Buffer.concat([begun, chunk.subarray(0, end)])
    begun = Buffer.from(withoutHole(chunk.subarray(end + 1)))
    yield whole.toString('utf8').split('\n').map(tidyLine)
  }
  if (begun.length > 0) yield [tidyLine(begun.toString('utf8'))]
}

// A log that was truncated while its server wrote on begins with a hole, which may be larger than any line.
function withoutHole(bytes: Buffer): Buffer {
  let start = 0
  while (bytes[start] === 0) start++
  return bytes.subarray(start)
}

// What is left of U+0000 is replaced: no event may hold one.
function tidyLine(line: string): string {
  const filled = line.includes('\0') ? line.replace(/^\0+/, '').replaceAll(/\0/g, '\ufffd') : line
  return cutText(filled, maxLineBytes)
}

function unreadable(path: string, error: unknown): DemoError {
  const { code, message } = error as NodeJS.ErrnoException
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a folder',
    Z_BUF_ERROR: 'its gzip data ends too early',
    Z_DATA_ERROR: 'its gzip data is damaged',
  }
  return new DemoError(`${path} can't be read: ${reasons[code ?? ''] ?? message}.`, { cause: error })
}
