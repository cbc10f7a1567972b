import { createHash, type Hash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { ArchiveStore } from './archive-store.ts'
import type { Manifest } from './manifest.ts'

/** The SHA-256 of lines, and how many there are. */
export class LineDigest {
  readonly #hash: Hash = createHash('sha256')
  lines = 0

  add(lines: readonly string[]): Buffer {
    const bytes = Buffer.from(lines.length === 0 ? '' : `${lines.join('\n')}\n`)
    this.#hash.update(bytes)
    this.lines += lines.length
    return bytes
  }

  /** Can be called once. */
  hex(): string {
    return this.#hash.digest('hex')
  }
}

export interface WrittenContent {
  readonly lines: number
  readonly contentSha256: string
  readonly bytes: number
  readonly sha256: string
}

/** Writes lines as a gzip file. */
export async function writeContent(
  store: ArchiveStore,
  name: string,
  pages: AsyncIterable<readonly string[]>,
): Promise<WrittenContent> {
  const content = new LineDigest()
  const file = createHash('sha256')
  let bytes = 0
  const gzip = createGzip()
  const compressed = pipeline(async function* () {
    for await (const lines of pages) yield content.add(lines)
  }, gzip)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of gzip as AsyncIterable<Buffer>) {
      file.update(chunk)
      bytes += chunk.length
      yield chunk
    }
  }
  // An error of the pages destroys the stream, and so ends the writing too.
  await Promise.all([compressed, store.write(name, chunks())])
  return { lines: content.lines, contentSha256: content.hex(), bytes, sha256: file.digest('hex') }
}

/** Some thousand lines at a time are passed on. */
const pageLines = 2_000
/** A click has at most 32 KiB, and each of its characters may be written as an escape. */
const maxLineChars = 1024 * 1024

/**
 * The lines of an archive, in pages. Ends with an error unless everything read is as the manifest says: do not rely on a page before
 * the end.
 *
 * @throws {Error} that names the file, if it is missing, damaged, or not the one that the manifest describes
 */
export async function* readContent(store: ArchiveStore, manifest: Manifest): AsyncGenerator<string[]> {
  const { file, clicks, bytes, sha256, contentSha256 } = manifest
  const damaged = (what: string, cause?: unknown) =>
    new Error(`The archive ${file} in ${store.description} is damaged: ${what}.`, { cause })
  const source = await store.read(file)
  const fileHash = createHash('sha256')
  let fileBytes = 0
  const gunzip = createGunzip()
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
  const content = new LineDigest()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let rest = ''
  let page: string[] = []
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() as string
      if (rest.length > maxLineChars) throw new Error('a line is too long')
      page.push(...lines)
      if (page.length < pageLines) continue
      content.add(page)
      yield page
      page = []
    }
    await decompressed
  } catch (error) {
    throw damaged((error as Error).message, error)
  } finally {
    source.destroy()
    gunzip.destroy()
  }
  if (rest !== '') throw damaged('its last line is not complete')
  content.add(page)
  if (fileBytes !== bytes || fileHash.digest('hex') !== sha256) throw damaged('its SHA-256 is not that of the manifest')
  if (content.lines !== clicks) throw damaged(`it has ${content.lines} clicks, and its manifest says ${clicks}`)
  if (content.hex() !== contentSha256) throw damaged('its content has not the SHA-256 of the manifest')
  if (page.length > 0) yield page
}
