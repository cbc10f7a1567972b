import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * What happens to a request. `cut`: the connection is closed before the request is forwarded. `lose`: it is forwarded, and the
 * connection is closed instead of the response. `hang`: nothing is ever answered. A status is answered instead of forwarding.
 */
export type Fault = 'none' | 'cut' | 'lose' | 'hang' | { readonly status: number; readonly retryAfter?: string }

export interface ProxiedRequest {
  readonly path: string
  readonly atMs: number
  readonly type: string | undefined
  readonly body: string
  readonly ids: readonly string[]
}

/** Forwards requests to a server, but for the faults. */
export class FaultyProxy {
  readonly requests: ProxiedRequest[] = []
  readonly #target: string
  readonly #faultOf: (request: ProxiedRequest) => Fault
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  private constructor(target: string, faultOf: (request: ProxiedRequest) => Fault) {
    this.#target = target
    this.#faultOf = faultOf
  }

  /** @param faultOf called for each request */
  static async start(target: string, faultOf: (request: ProxiedRequest) => Fault): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target, faultOf)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    onTestFinished(() => {
      proxy.#server.closeAllConnections()
      proxy.#server.close()
    })
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const ids = [...body.matchAll(/"id": ?"([^"]+)"/g)].map(([, id = '']) => id)
    const type = request.headers['content-type']
    const seen = { path: request.url ?? '', atMs: performance.now(), type, body, ids }
    this.requests.push(seen)
    const fault = this.#faultOf(seen)
    if (fault === 'hang') return
    if (fault === 'cut') return void request.socket.destroy()
    if (typeof fault === 'object') {
      const headers = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }
      return void response.writeHead(fault.status, headers).end('{}')
    }
    const { authorization, origin } = request.headers
    const forwarded = httpRequest(new URL(request.url ?? '', this.#target), {
      method: request.method ?? 'GET',
      headers: {
        ...(authorization !== undefined && { authorization }),
        ...(type !== undefined && { 'content-type': type }),
        ...(origin !== undefined && { origin }),
      },
      // A connection for each request: the server need not wait for idle ones when it closes.
      agent: false,
    })
    forwarded.on('error', () => request.socket.destroy())
    forwarded.on('response', (answer) => {
      if (fault === 'lose') return void answer.resume().on('end', () => request.socket.destroy())
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    forwarded.end(body)
  }
}
