import { type FileHandle, open } from 'node:fs/promises'
import { inflate, isGzip, skipBytes } from './inflate.ts'
import { type Line, type LinePosition, splitLines, startOfText } from './line.ts'
import { TextFileError, unreadable } from './text-file-error.ts'

/** Small enough that a compressed file shows how far it is read, too. */
const chunkBytes = 131_072

/**
 * A text on disk, plain or gzip (told by its first bytes, not its name), that can be read more than once with the same
 * result: one open handle and the size at the start, so that lines which somebody appends meanwhile, or a rotation, do
 * not show. Close it.
 */
export class TextFile {
  readonly path: string
  readonly sizeBytes: number
  /** How much of the file the last reading has taken from disk. */
  bytesRead = 0
  readonly #handle: FileHandle
  readonly #isGzip: boolean

  private constructor(path: string, sizeBytes: number, handle: FileHandle, isGzipped: boolean) {
    this.path = path
    this.sizeBytes = sizeBytes
    this.#handle = handle
    this.#isGzip = isGzipped
  }

  /** @throws {TextFileError} where the file is missing, no ordinary file, or not ours to read */
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
   * The lines from there to the last, as many at a time as a read gives.
   *
   * @throws {TextFileError} where the file can't be read to its end, as with damaged gzip data
   */
  async *lines(from: LinePosition = startOfText): AsyncGenerator<Line[]> {
    try {
      yield* splitLines(this.#isGzip ? skipBytes(inflate(this.#bytes(0)), from.bytes) : this.#bytes(from.bytes), from)
    } catch (error) {
      throw unreadable(this.path, error)
    }
  }

  /** The first bytes as they are on disk: they tell whether this is still the file that it was. */
  async head(bytes: number): Promise<Buffer> {
    const length = Math.min(bytes, this.sizeBytes)
    const { bytesRead, buffer } = await this.#handle.read(Buffer.alloc(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  }

  // Not createReadStream: to destroy such a stream closes the handle, whatever autoClose says.
  async *#bytes(from: number): AsyncGenerator<Buffer> {
    // Of its own: a reading that was given up may still take a chunk while the next one has begun.
    let position = from
    this.bytesRead = from
    while (position < this.sizeBytes) {
      const length = Math.min(chunkBytes, this.sizeBytes - position)
      const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(length), 0, length, position)
      // Somebody has cut the file off since it was opened.
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
