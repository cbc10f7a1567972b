import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { Line, LinePosition } from '@clicktally/text-file/line.ts'
import { TextFile } from '@clicktally/text-file/text-file.ts'
import { unreadable } from '@clicktally/text-file/text-file-error.ts'
import { TextStream } from '@clicktally/text-file/text-stream.ts'

/** Distinguishes a file from another one that replaced it. */
export interface FileIdentity {
  readonly path: string
  readonly sizeBytes: number
  /** A hash of the first `headBytes` bytes: a longer version of the same file begins with the same bytes. */
  readonly headBytes: number
  readonly headHash: string
}

/** A file or a pipe to import. */
export interface ImportInput {
  readonly name: string
  /** Undefined for a pipe, which cannot be read again. */
  readonly file: FileIdentity | undefined
  open(): Promise<OpenInput>
}

export interface OpenInput {
  /** Number of bytes read, as on disk. */
  readonly bytesRead: number
  /** Lines from the beginning or from a position. A pipe can be read once. */
  lines(from?: LinePosition): AsyncGenerator<Line[]>
  close(): Promise<void>
}

/** Enough to distinguish two logs. */
const maxHeadBytes = 65_536

/**
 * Opens a path: a file, a pipe, or standard input for `-`.
 *
 * @throws {TextFileError} if it cannot be read
 */
export async function findInput(path: string, standardInput: Readable): Promise<ImportInput> {
  if (path === '-') return pipe('standard input', () => standardInput)
  const stats = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error)
  })
  if (!stats.isFile() && !stats.isDirectory()) return pipe(path, () => createReadStream(path))
  // Opening rejects folders with a message.
  const file = await TextFile.open(path)
  try {
    return { name: path, file: await identify(await realpath(path), file), open: () => TextFile.open(path) }
  } finally {
    await file.close()
  }
}

/** Whether the file is the same one, or a longer version of it. */
export async function isStill(before: FileIdentity, now: FileIdentity): Promise<boolean> {
  if (now.sizeBytes < before.sizeBytes) return false
  if (now.headBytes === before.headBytes) return now.headHash === before.headHash
  const file = await TextFile.open(now.path)
  try {
    return hashOf(await file.head(before.headBytes)) === before.headHash
  } finally {
    await file.close()
  }
}

async function identify(path: string, file: TextFile): Promise<FileIdentity> {
  const head = await file.head(maxHeadBytes)
  return { path, sizeBytes: file.sizeBytes, headBytes: head.length, headHash: hashOf(head) }
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function pipe(name: string, open: () => Readable): ImportInput {
  return {
    name,
    file: undefined,
    async open() {
      const stream = open()
      const text = new TextStream(name, stream)
      return {
        get bytesRead() {
          return text.bytesRead
        },
        lines: () => text.lines(),
        async close() {
          stream.destroy()
        },
      }
    },
  }
}
