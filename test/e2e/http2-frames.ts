import { connect } from 'node:tls'

/** A raw header. HTTP/2 client libraries refuse to send an invalid one. */
export type RawHeader = readonly [name: string, value: string]

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const frameTypes = { data: 0, headers: 1, resetStream: 3, settings: 4, goAway: 7 } as const
const endStream = 1
const endHeaders = 4
const acknowledge = 1

/** A header block without compression (RFC 7541, 6.2.2: literal header fields without indexing). */
function headerBlock(headers: readonly RawHeader[]): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value, 'latin1')
    if (bytes.length > 126) throw new Error('longer strings are not supported')
    return [Buffer.from([bytes.length]), bytes]
  }
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0]), ...text(name), ...text(value)]))
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/**
 * Sends one HTTP/2 request over TLS, and resolves with its status, or with `refused` when the stream or the connection ended without a
 * response. Only 200 and 400 are decoded, because they are in HPACK's static table.
 */
export async function sendHttp2(
  port: number,
  ca: Buffer,
  headers: readonly RawHeader[],
  body = '',
): Promise<'200' | '400' | 'other response' | 'refused'> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost', ALPNProtocols: ['h2'] })
    let received = Buffer.alloc(0)
    const settle = (outcome: '200' | '400' | 'other response' | 'refused') => {
      socket.destroy()
      resolve(outcome)
    }
    socket.setTimeout(10_000, () => reject(new Error('no response within 10 s')))
    socket.on('error', () => settle('refused')).on('close', () => settle('refused'))
    socket.on('secureConnect', () => {
      socket.write(preface)
      socket.write(frame(frameTypes.settings, 0, 0, Buffer.alloc(0)))
      const hasBody = body !== ''
      socket.write(frame(frameTypes.headers, endHeaders | (hasBody ? 0 : endStream), 1, headerBlock(headers)))
      if (hasBody) socket.write(frame(frameTypes.data, endStream, 1, Buffer.from(body)))
    })
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data])
      while (received.length >= 9) {
        const length = received.readUIntBE(0, 3)
        if (received.length < 9 + length) return
        const [type, flags] = [received.readUInt8(3), received.readUInt8(4)]
        const payload = received.subarray(9, 9 + length)
        received = received.subarray(9 + length)
        if (type === frameTypes.settings && (flags & acknowledge) === 0) {
          socket.write(frame(frameTypes.settings, acknowledge, 0, Buffer.alloc(0)))
        } else if (type === frameTypes.headers) settle(statusOf(payload))
        else if (type === frameTypes.resetStream || type === frameTypes.goAway) settle('refused')
      }
    })
  })
}

/** Indexes 8 and 12 of the static table (RFC 7541, appendix A), as indexed fields; a table size update may come first. */
function statusOf(payload: Buffer): '200' | '400' | 'other response' {
  const first = payload.find((byte) => (byte & 0xe0) !== 0x20)
  if (first === 0x88) return '200'
  return first === 0x8c ? '400' : 'other response'
}
