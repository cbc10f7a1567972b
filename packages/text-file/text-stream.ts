import type { Readable } from 'node:stream'
import { inflate, isGzip } from './inflate.ts'
import { type Line, splitLines } from './line.ts'
import { unreadable } from './text-file-error.ts'

/** A text from a pipe, plain or gzip. It can be read once. */
export class TextStream {
  readonly name: string
  /** Bytes received, before decompression. */
  bytesRead = 0
  readonly #stream: Readable

  constructor(name: string, stream: Readable) {
    this.name = name
    this.#stream = stream
  }

  /** @throws {TextFileError} if it cannot be read to its end, for example because gzip data is damaged */
  async *lines(): AsyncGenerator<Line[]> {
    try {
      yield* splitLines(this.#text())
    } catch (error) {
      throw unreadable(this.name, error)
    }
  }

  async *#text(): AsyncGenerator<Buffer> {
    const chunks = this.#chunks()
    const first: Buffer[] = []
    let length = 0
    // A pipe may deliver single bytes; two are needed to detect gzip.
    while (length < 2) {
      const next = await chunks.next()
      if (next.done) break
      first.push(next.value)
      length += next.value.length
    }
    const head = Buffer.concat(first)
    const all = prepend(head, chunks)
    yield* isGzip(head) ? inflate(all) : all
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of this.#stream as AsyncIterable<Buffer>) {
      this.bytesRead += chunk.length
      yield chunk
    }
  }
}

async function* prepend(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head
  yield* rest
}
