import { connect, type Socket } from 'node:net'

/** What is expected of whoever answers; a request without an answer by then has failed. */
const answerWithinMs = 15_000

/**
 * One HTTP/1.1 connection that carries one request at a time, with as little between the socket and the clock as can be:
 * what it adds to a latency is added to that of everybody who is compared.
 *
 * Made anew when the other side has closed it. Answers must have a Content-Length, as all of ours have.
 */
export class HttpConnection {
  readonly #host: string
  readonly #port: number
  #socket: Socket | undefined
  #received = ''
  #waiting: PromiseWithResolvers<number> | undefined

  /** @param url the base URL of the server */
  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.#host = hostname
    this.#port = Number(port || 80)
  }

  /** Connects, unless that was done before. */
  async open(): Promise<void> {
    if (this.#socket !== undefined) return
    const opened = Promise.withResolvers<void>()
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true, keepAlive: true })
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.setTimeout(answerWithinMs, () => {
      if (this.#waiting !== undefined) socket.destroy(new Error('no answer in time'))
    })
    socket.once('connect', opened.resolve)
    socket.on('data', (text) => this.#take(String(text)))
    socket.on('error', (error) => this.#fail(socket, error))
    socket.on('close', () => {
      opened.reject(new Error('the connection could not be made'))
      this.#fail(socket, new Error('the connection was closed'))
    })
    await opened.promise
  }

  /**
   * Sends a request, as {@link postText} makes it. Resolves with the status of the answer, when it has been read to its end.
   *
   * @throws when the connection breaks, or nothing comes within 15 s
   */
  async send(request: string): Promise<number> {
    if (this.#socket === undefined) await this.open()
    if (this.#waiting !== undefined) throw new Error('a connection carries one request at a time')
    const waiting = Promise.withResolvers<number>()
    this.#waiting = waiting
    this.#received = ''
    this.#socket?.write(request)
    return await waiting.promise
  }

  close(): void {
    this.#socket?.destroy()
  }

  #take(text: string): void {
    this.#received += text
    const headEnd = this.#received.indexOf('\r\n\r\n')
    if (headEnd === -1) return
    const head = this.#received.slice(0, headEnd)
    const length = /^content-length: *(\d+)/im.exec(head)?.[1]
    const socket = this.#socket
    if (length === undefined) {
      socket?.destroy(new Error('the answer has no Content-Length'))
      return
    }
    if (this.#received.length < headEnd + 4 + Number(length)) return
    const waiting = this.#waiting
    this.#waiting = undefined
    if (/^connection: *close/im.test(head)) {
      this.#socket = undefined
      socket?.destroy()
    }
    waiting?.resolve(Number(head.slice(9, 12)))
  }

  #fail(socket: Socket, error: Error): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(error)
  }
}

/** A POST with a JSON body, as it goes over the wire. */
export function postText(path: string, body: string): string {
  const length = Buffer.byteLength(body)
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`
}
