import { type FileHandle, open } from 'node:fs/promises'
import { inflate, isGzip, skipBytes } from './inflate.ts'
import { type Line, type LinePosition, splitLines, startOfText } from './line.ts'
import { TextFileError, unreadable } from './text-file-error.ts'

/** Small enough for smooth progress, with compressed files too. */
const chunkBytes = 131_072

/**
 * A text file, plain or gzip (detected by its first bytes), that can be read repeatedly with the same result: it keeps the file
 * open and reads up to its initial size, so appended lines and log rotation have no effect. Close it after use.
 */
export class TextFile {
  readonly path: string
  readonly sizeBytes: number
  /** Bytes that the last reader has read from disk. */
  bytesRead = 0
  readonly #handle: FileHandle
  readonly #isGzip: boolean

  private constructor(path: string, sizeBytes: number, handle: FileHandle, isGzipped: boolean) {
    this.path = path
    this.sizeBytes = sizeBytes
    this.#handle = handle
    this.#isGzip = isGzipped
  }

  /** @throws {TextFileError} if the file is missing, not a regular file, or not readable */
  static async open(path: string): Promise<TextFile> {
    const handle = await open(path).catch((error: unknown) => {
      throw unreadable(path, error)
    })
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw new TextFileError(`${path} is not an ordinary file. Give one that can be read twice.`)
      const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0)
      return new TextFile(path, stats.size, handle, isGzip(buffer))
    } catch (error) {
      await handle.close()
      throw unreadable(path, error)
    }
  }

  /**
   * Reads the lines from this position to the end, those of a chunk at a time.
   *
   * @throws {TextFileError} if the file cannot be read to its end, for example because gzip data is damaged
   */
  async *lines(from: LinePosition = startOfText): AsyncGenerator<Line[]> {
    try {
      yield* splitLines(this.#isGzip ? skipBytes(inflate(this.#bytes(0)), from.bytes) : this.#bytes(from.bytes), from)
    } catch (error) {
      throw unreadable(this.path, error)
    }
  }

  /** Returns the first bytes on disk, to detect whether it is still the same file. */
  async head(bytes: number): Promise<Buffer> {
    const length = Math.min(bytes, this.sizeBytes)
    const { bytesRead, buffer } = await this.#handle.read(Buffer.alloc(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  }

  // Not createReadStream(): destroying such a stream closes the handle, whatever autoClose says.
  async *#bytes(from: number): AsyncGenerator<Buffer> {
    // Not shared: an abandoned reader may still fill its buffer when the next one has started.
    let position = from
    this.bytesRead = from
    while (position < this.sizeBytes) {
      const length = Math.min(chunkBytes, this.sizeBytes - position)
      const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(length), 0, length, position)
      // The file was truncated after it was opened.
      if (bytesRead === 0) return
      position += bytesRead
      this.bytesRead = position
      yield buffer.subarray(0, bytesRead)
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
