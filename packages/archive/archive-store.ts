import type { Readable } from 'node:stream'

/** Where archives are kept: files by name, such as `project-1/clicks_20261128.4f1c….ndjson.gz`. */
export interface ArchiveStore {
  /** For messages. It contains no secret. */
  readonly description: string
  /**
   * Writes a file. It is there, on disk, when the promise resolves, and never there in part. Replaces one of the same name. Only one process
   * at a time may write a file of this name.
   */
  write(name: string, content: AsyncIterable<Uint8Array>): Promise<void>
  /** @throws {ArchiveMissing} if there is no such file */
  read(name: string): Promise<Readable>
  /** Names of all files that begin so, sorted. In a folder also of those whose writing was interrupted, which end with `.partial`. */
  list(prefix: string): Promise<string[]>
  /** Does nothing if there is no such file. */
  remove(name: string): Promise<void>
  close(): void
}

export class ArchiveMissing extends Error {
  constructor(name: string, description: string, options?: ErrorOptions) {
    super(`There is no file ${name} in ${description}.`, options)
    this.name = 'ArchiveMissing'
  }
}

/** The place of the archives failed, as when it cannot be reached or refuses access. That says nothing about the archives. */
export class ArchiveUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ArchiveUnavailable'
  }
}

/** @returns the error itself if it names the store already */
export function unavailable(description: string, error: unknown): Error {
  if (error instanceof ArchiveMissing || error instanceof ArchiveUnavailable) return error
  const { message, code, name } = error as NodeJS.ErrnoException
  // Of several addresses that cannot be reached there is no message.
  return new ArchiveUnavailable(`The archives in ${description} cannot be used: ${message || code || name}.`, {
    cause: error,
  })
}
