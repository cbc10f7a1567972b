import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface RawRequest {
  readonly port: number
  /** The request as it goes over the wire, byte for byte; ask for `connection: close`. */
  readonly text: string
  /** One of 127.0.0.0/8, for who wants to be another client. */
  readonly from?: string
}

/** A request that is being sent, perhaps for ever. */
export class RawExchange {
  readonly socket: Socket
  /** Rejects when the connection ends without an answer. */
  readonly answer: Promise<RawAnswer>

  constructor({ port, text, from = '127.0.0.1' }: RawRequest) {
    this.socket = connect({ host: '127.0.0.1', port, localAddress: from })
    let received = ''
    this.answer = new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        const answer = parse(received)
        if (answer === undefined) reject(error ?? new Error(`the connection ended after "${received.slice(0, 200)}"`))
        else resolve(answer)
      }
      this.socket.setEncoding('latin1').on('data', (data: string) => {
        received += data
        // nginx may keep the connection for the rest of a body that it refused.
        if (isComplete(received)) settle()
      })
      this.socket.on('error', settle).on('close', () => settle())
    })
    // Who never looks at the answer need not handle its absence.
    this.answer.catch(() => {})
    this.socket.write(text, 'latin1')
  }

  close(): void {
    this.socket.destroy()
  }
}

/** Sends a request and resolves with its answer. */
export async function rawRequest(request: RawRequest): Promise<RawAnswer> {
  const exchange = new RawExchange(request)
  try {
    return await exchange.answer
  } finally {
    exchange.close()
  }
}

function isComplete(text: string): boolean {
  const answer = parse(text)
  const length = answer?.headers.get('content-length')
  return answer !== undefined && length !== undefined && answer.body.length >= Number(length)
}

function parse(text: string): RawAnswer | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(end + 4) }
}
