import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

const chunkBytes = 262_144

/** Whether data starting with these bytes is gzip. */
export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b
}

/** Decompresses gzip data of one or more members. */
export async function* inflate(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const deflated = Readable.from(chunks, { objectMode: false })
  const inflated = createGunzip({ chunkSize: chunkBytes })
  deflated.on('error', (error) => inflated.destroy(error))
  try {
    yield* deflated.pipe(inflated)
  } finally {
    deflated.destroy()
    inflated.destroy()
  }
}

/** Skips the first `bytes` of the chunks. */
export async function* skipBytes(chunks: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes
  for await (const chunk of chunks) {
    const skipped = Math.min(left, chunk.length)
    left -= skipped
    if (skipped < chunk.length) yield chunk.subarray(skipped)
  }
}
