import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { type ArchiveStore, unavailable } from './archive-store.ts'
import type { Manifest } from './manifest.ts'

const newline = 10

/** The SHA-256 of pages of lines, and how many lines there are. */
export class ContentDigest {
  readonly #hash = createHash('sha256')
  lines = 0

  /** @param page whole lines, each with its newline */
  add(page: Buffer): void {
    this.#hash.update(page)
    for (let at = page.indexOf(newline); at !== -1; at = page.indexOf(newline, at + 1)) this.lines += 1
  }

  /** Can be called once. */
  hex(): string {
    return this.#hash.digest('hex')
  }
}

/** The lines of a page, without their newlines. */
export function linesOf(page: Buffer): string[] {
  return page.toString('utf8', 0, page.length - 1).split('\n')
}

/** A page of these lines, of which there is at least one. */
export function pageOf(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\n')}\n`)
}

export interface WrittenContent {
  readonly lines: number
  readonly contentSha256: string
  readonly bytes: number
  readonly sha256: string
}

/** Of what is compressed or decompressed at once, in another thread. By default it is 16 KiB, and passing it on takes as long as the work. */
const chunkSize = 1024 * 1024

/** Writes pages of lines as a gzip file. Compresses one while the next is made. */
export async function writeContent(
  store: ArchiveStore,
  name: string,
  pages: AsyncIterable<Buffer>,
): Promise<WrittenContent> {
  const content = new ContentDigest()
  const file = createHash('sha256')
  let bytes = 0
  const gzip = createGzip({ chunkSize })
  const compressed = pipeline(async function* () {
    for await (const page of pages) {
      content.add(page)
      yield page
    }
  }, gzip)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of gzip as AsyncIterable<Buffer>) {
      file.update(chunk)
      bytes += chunk.length
      yield chunk
    }
  }
  // An error of the pages destroys the stream, and so ends the writing too. One of the store comes before what it does to the stream.
  compressed.catch(() => {})
  await store.write(name, chunks())
  await compressed
  return { lines: content.lines, contentSha256: content.hex(), bytes, sha256: file.digest('hex') }
}

class InvalidContent extends Error {}

/** A click has at most 32 KiB, and each of its characters may be written as an escape. */
const maxLineBytes = 1024 * 1024

/**
 * The lines of an archive, in pages of at most 2 MiB. Ends with an error unless everything read is as the manifest says: do not rely on a
 * page before the end.
 *
 * @throws {ArchiveUnavailable}
 * @throws {Error} that names the file, if it is missing, damaged, or not the one that the manifest describes
 */
export async function* readContent(store: ArchiveStore, manifest: Manifest): AsyncGenerator<Buffer> {
  const { file, clicks, bytes, sha256, contentSha256 } = manifest
  const damaged = (what: string, cause?: unknown) =>
    new Error(`The archive ${file} in ${store.description} is damaged: ${what}.`, { cause })
  const source = await store.read(file)
  const fileHash = createHash('sha256')
  let fileBytes = 0
  const gunzip = createGunzip({ chunkSize })
  const decompressed = pipeline(
    source,
    async function* (chunks) {
      for await (const chunk of chunks as AsyncIterable<Buffer>) {
        fileHash.update(chunk)
        fileBytes += chunk.length
        yield chunk
      }
    },
    gunzip,
  )
  // Thrown below, by the loop.
  decompressed.catch(() => {})
  const content = new ContentDigest()
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      const end = chunk.lastIndexOf(newline) + 1
      const page = end === 0 ? undefined : Buffer.concat([rest, chunk.subarray(0, end)])
      rest = page === undefined ? Buffer.concat([rest, chunk]) : chunk.subarray(end)
      if (rest.length > maxLineBytes) throw new InvalidContent('a line is too long')
      if (page === undefined) continue
      if (!isUtf8(page)) throw new InvalidContent('it is not UTF-8')
      content.add(page)
      yield page
    }
    await decompressed
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    const isOfContent = error instanceof InvalidContent || code?.startsWith('Z_')
    throw isOfContent ? damaged(message, error) : unavailable(store.description, error)
  } finally {
    source.destroy()
    gunzip.destroy()
  }
  if (rest.length > 0) throw damaged('its last line is not complete')
  if (fileBytes !== bytes || fileHash.digest('hex') !== sha256) throw damaged('its SHA-256 is not that of the manifest')
  if (content.lines !== clicks) throw damaged(`it has ${content.lines} clicks, and its manifest says ${clicks}`)
  if (content.hex() !== contentSha256) throw damaged('its content has not the SHA-256 of the manifest')
}
