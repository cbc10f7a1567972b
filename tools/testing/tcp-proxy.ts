import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { ProxyLane } from './proxy-lane.ts'

export type Direction = 'toServer' | 'toClient'

/** The identity of one connection through a proxy. */
export type ProxiedConnection = object

/**
 * Called for each chunk of bytes before it is forwarded. True cuts the chunk's connection; a number cuts it after that many of the
 * chunk's bytes.
 */
export type CutPredicate = (chunk: Buffer, connection: ProxiedConnection) => boolean | number

export interface Cutting {
  /** The number of connections that it has cut. */
  readonly cuts: number
  stop(): void
}

interface Link {
  readonly client: Socket
  /** Undefined while the proxy is silent, because nothing can be opened through it. */
  server?: Socket
  lanes?: Record<Direction, ProxyLane>
}

const directions = ['toServer', 'toClient'] as const

/**
 * A TCP proxy that fails as a network does: it drops nothing but forwards nothing (in one direction or both), is slow, or cuts
 * connections, at once or at a chosen moment.
 *
 * A connection through it: accepted → (silent: waits) → open → half closed by one side → closed. Each side sees what the other does,
 * resets included. While the proxy is silent it forwards nothing; on resume it forwards everything that it held back.
 */
export class TcpProxy {
  readonly #target: { readonly host: string; readonly port: number }
  readonly #server: Server
  readonly #links = new Set<Link>()
  readonly #silent = new Set<Direction>()
  readonly #predicates: Record<Direction, Set<CutPredicate>> = { toServer: new Set(), toClient: new Set() }
  #latencyMs = 0

  private constructor(target: { host: string; port: number }) {
    this.#target = target
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) =>
      this.#accept(client),
    )
  }

  /** Listens on 127.0.0.1, on a free port by default. */
  static async open(target: { host: string; port: number }, port = 0): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    proxy.#server.listen(port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get connections(): number {
    return this.#links.size
  }

  /** Stops forwarding bytes, closes and resets, like an unplugged cable. */
  silence(direction: Direction | 'both' = 'both'): void {
    for (const each of direction === 'both' ? directions : [direction]) {
      this.#silent.add(each)
      for (const { lanes } of this.#links) lanes?.[each].silence()
    }
  }

  /** Forwards everything that was held back, and continues. */
  resume(): void {
    this.#silent.clear()
    for (const link of this.#links) {
      if (link.server === undefined) this.#open(link)
      else for (const direction of directions) link.lanes?.[direction].resume()
    }
  }

  /** Sets the latency of data read from now on, in milliseconds for each direction; 0 for none. */
  delay(latencyMs: number): void {
    this.#latencyMs = latencyMs
  }

  /** Resets every connection on both sides, and returns their number. */
  cut(): number {
    const cut = [...this.#links]
    for (const link of cut) this.#cut(link)
    return cut.length
  }

  /** Cuts connections by what is sent on them in one direction, until it is stopped or has cut `times` connections. */
  cutWhen(direction: Direction, predicate: CutPredicate, times = Number.POSITIVE_INFINITY): Cutting {
    const predicates = this.#predicates[direction]
    const cut = new WeakSet<ProxiedConnection>()
    let cuts = 0
    const counting: CutPredicate = (chunk, connection) => {
      const verdict = !cut.has(connection) && predicate(chunk, connection)
      if (verdict === false) return false
      cut.add(connection)
      cuts += 1
      if (cuts >= times) predicates.delete(counting)
      return verdict
    }
    predicates.add(counting)
    return {
      get cuts() {
        return cuts
      },
      stop: () => predicates.delete(counting),
    }
  }

  /** Sends bytes to each client as if from the server. The links must be idle, so that the bytes fall between two messages. */
  sendToClients(bytes: Buffer): void {
    for (const { client } of this.#links) client.write(bytes)
  }

  /** Cuts all connections and accepts no more. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  #accept(client: Socket): void {
    const link: Link = { client }
    this.#links.add(link)
    client.on('error', () => {})
    client.on('close', () => this.#forget(link))
    if (this.#silent.size === 0) this.#open(link)
  }

  #open(link: Link): void {
    const { client } = link
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    link.server = server
    server.on('error', () => {})
    server.on('close', () => this.#forget(link))
    const lane = (direction: Direction, from: Socket, to: Socket) =>
      new ProxyLane({
        from,
        to,
        silent: this.#silent.has(direction),
        latencyMs: () => this.#latencyMs,
        cutAfter: (chunk) => this.#cutAfter(direction, chunk, link),
        cut: () => this.#cut(link),
      })
    link.lanes = { toServer: lane('toServer', client, server), toClient: lane('toClient', server, client) }
  }

  #cutAfter(direction: Direction, chunk: Buffer, link: Link): number | undefined {
    for (const predicate of this.#predicates[direction]) {
      const verdict = predicate(chunk, link)
      if (verdict !== false) return verdict === true ? 0 : verdict
    }
    return undefined
  }

  #cut({ client, server }: Link): void {
    client.resetAndDestroy()
    server?.resetAndDestroy()
  }

  #forget(link: Link): void {
    if (link.client.closed && (link.server === undefined || link.server.closed)) this.#links.delete(link)
  }
}
