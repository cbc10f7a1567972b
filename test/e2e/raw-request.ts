import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface RawRequest {
  readonly port: number
  /** The raw request. It should have the header `connection: close`. */
  readonly text: string
  /** The source address, in 127.0.0.0/8, to act as another client. Default: 127.0.0.1. */
  readonly from?: string
}

/** A request in progress. It may never be complete. */
export class RawExchange {
  readonly socket: Socket
  /** Rejects if the connection ends without a response. */
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
        // nginx may keep the connection open to read the rest of a refused body.
        if (isComplete(received)) settle()
      })
      this.socket.on('error', settle).on('close', () => settle())
    })
    // Prevents an unhandled rejection when the caller never awaits the answer.
    this.answer.catch(() => {})
    this.socket.write(text, 'latin1')
  }

  close(): void {
    this.socket.destroy()
  }
}

/** Sends a request and resolves with its response. */
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
