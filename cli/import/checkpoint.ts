import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LinePosition } from '@clicktally/text-file/line.ts'
import type { FormatChoices } from './formats/format-choices.ts'
import type { FileIdentity } from './import-input.ts'
import type { TallyState } from './import-tally.ts'

/** How far an import has come: everything before it was answered. */
export interface Checkpoint {
  readonly version: typeof checkpointVersion
  /** RFC 3339. */
  readonly savedAt: string
  readonly files: readonly FileCheckpoint[]
  readonly tally: TallyState
  /** The file of rejected lines and its length. */
  readonly rejects: { readonly path: string; readonly bytes: number } | undefined
}

export interface FileCheckpoint {
  readonly identity: FileIdentity
  /** Where to continue. */
  readonly position: LinePosition
  readonly isDone: boolean
}

export const checkpointVersion = 1

/** Identifies an import. */
export interface ImportKey {
  readonly endpoint: string
  /** What clicks are sent with: their project follows from it, and another system at the endpoint has other keys. */
  readonly accessKey: string
  readonly choices: Pick<FormatChoices, 'source' | 'pageviews' | 'timeZone'>
  readonly format: string | undefined
  readonly paths: readonly string[]
}

/** The file with the checkpoint of one import. */
export class CheckpointFile {
  readonly path: string
  readonly #dir: string
  readonly #draft: string

  /** @param stateDir folder for this program's state */
  constructor(stateDir: string, { endpoint, accessKey, choices, format, paths }: ImportKey) {
    const { source, pageviews, timeZone } = choices
    const key = JSON.stringify([endpoint, hashOf(accessKey), source, format ?? null, paths, pageviews, timeZone])
    this.#dir = join(stateDir, 'imports')
    this.path = join(this.#dir, `${hashOf(key).slice(0, 32)}.json`)
    this.#draft = `${this.path}.draft`
  }

  /** Undefined if there is none that this version can use. */
  async read(): Promise<Checkpoint | undefined> {
    try {
      const checkpoint = JSON.parse(await readFile(this.path, 'utf8')) as Partial<Checkpoint> | null
      return checkpoint?.version === checkpointVersion ? (checkpoint as Checkpoint) : undefined
    } catch (error) {
      // A file truncated by a power failure is ignored. What was sent since is sent again, and counted once.
      if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Replaces the previous checkpoint atomically: a process that is killed meanwhile leaves one of the two. */
  async write(checkpoint: Checkpoint): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    await writeFile(this.#draft, JSON.stringify(checkpoint), { mode: 0o600 })
    await rename(this.#draft, this.path)
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true })
    await rm(this.#draft, { force: true })
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
