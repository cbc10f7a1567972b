import { Readable } from 'node:stream'

/** A client that takes no part of this size in this time has stopped reading. nginx waits 10 s. */
const partBytes = 65_536
const stalledAfterMs = 60_000

/**
 * A stream of the bytes, in parts of at most 64 KiB. It is destroyed when the client has taken nothing for a minute.
 *
 * @param stallMs milliseconds
 */
export function fileStream(content: AsyncIterable<string | Uint8Array>, stallMs = stalledAfterMs): Readable {
  const stream = Readable.from(parts(), { objectMode: false, highWaterMark: partBytes })
  return stream

  async function* parts(): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      const bytes = Buffer.from(chunk as Uint8Array)
      for (let at = 0; at < bytes.length; at += partBytes) {
        const stalled = setTimeout(() => stream.destroy(new Error('the client has stopped reading')), stallMs)
        try {
          yield bytes.subarray(at, at + partBytes)
        } finally {
          clearTimeout(stalled)
        }
      }
    }
  }
}
