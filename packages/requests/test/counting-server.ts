import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { TargetCounts } from '../target-counts.ts'

/** The fields that it uses. */
export interface ReceivedClick {
  readonly id: string
  readonly target: string
  readonly occurredAt: string
  readonly bot?: boolean
}

/** A failing response to a batch. `drop` closes the connection; `takeAndDrop` accepts the batch first. */
export type Fault = { status: number; headers?: Record<string, string>; body?: object } | 'drop' | 'takeAndDrop'

/**
 * A fake of Clicktally in memory that fails on demand, for tests of clients. It counts each id once. The real system is tested
 * end to end elsewhere.
 */
export class CountingServer {
  readonly clicks = new Map<string, ReceivedClick>()
  /** Bodies of all batches in the order of their arrival, including those with a fault. */
  readonly batches: ReceivedClick[][] = []
  /** Faults for the next batches. */
  readonly faults: Fault[] = []
  /** Returns the code with which a click is rejected, if it is. */
  reject: (click: ReceivedClick) => string | undefined = () => undefined
  /** Selects clicks that are accepted but not counted: an error that a comparison has to find. */
  lose: (click: ReceivedClick) => boolean = () => false
  /** Counts every copy of an id. */
  countsTwice = false
  pageSize = 7
  /** Number of batches still to be accepted; further ones wait. */
  #allowed = Number.POSITIVE_INFINITY
  #moreAllowed = Promise.withResolvers<void>()
  /** How long responses are cached. */
  cacheMs = 0
  readonly #cache = new Map<string, { atMs: number; body: object }>()
  #repeats: ReceivedClick[] = []
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** Accepts this many more batches; further ones wait until the next call. */
  takeOnly(batches: number): void {
    this.#allowed = batches
    this.#moreAllowed.resolve()
    this.#moreAllowed = Promise.withResolvers()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const takesClicks = ['/v1/events/batch', '/v1/backfill'].includes(url.pathname)
    if (request.method === 'POST' && takesClicks) return this.#take(request, response)
    const cached = this.#cache.get(url.href)
    if (cached && Date.now() - cached.atMs < this.cacheMs) return send(response, 200, cached.body)
    const body = this.#read(url)
    if (!body) return send(response, 404, { code: 'not_found', title: 'There is no such route' })
    this.#cache.set(url.href, { atMs: Date.now(), body })
    send(response, 200, body)
  }

  #read(url: URL): object | undefined {
    const counts = this.#counts(url)
    const meta = { asOf: new Date().toISOString(), lagMs: 0, tz: 'UTC', source: 'minutes' }
    if (url.pathname === '/v1/counts') return { total: counts.people, bots: counts.bots, visitors: 0, meta }
    if (url.pathname !== '/v1/counts/top') return undefined
    const start = Number(url.searchParams.get('cursor') ?? 0)
    const end = start + this.pageSize
    const targets = counts.top(end).slice(start)
    return {
      targets: targets.map(({ target, people, bots }) => ({ target, total: people, bots })),
      nextCursor: end < counts.size ? String(end) : null,
      meta,
    }
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString().trimEnd()
    if (text === '') return send(response, 422, { code: 'batch_empty', title: 'The batch has no event' })
    const lines = text.split('\n')
    const clicks = lines.map((line) => JSON.parse(line) as ReceivedClick)
    this.batches.push(clicks)
    while (this.#allowed <= 0) await this.#moreAllowed.promise
    // Ignore batches whose client has given up.
    if (request.socket.destroyed) return
    this.#allowed -= 1
    const fault = this.faults.shift()
    if (fault === 'drop') return void request.socket.destroy()
    if (typeof fault === 'object') return send(response, fault.status, fault.body ?? {}, fault.headers)

    const results = clicks.map((click, index) => {
      const code = this.reject(click)
      if (code !== undefined) return { index, id: click.id, status: 'rejected', code }
      if (this.countsTwice && this.clicks.has(click.id)) this.#repeats.push(click)
      this.clicks.set(click.id, click)
      return { index, id: click.id, status: 'accepted' }
    })
    if (fault === 'takeAndDrop') return void request.socket.destroy()
    const rejected = results.filter(({ status }) => status === 'rejected').length
    send(response, rejected === clicks.length ? 422 : 202, { accepted: clicks.length - rejected, rejected, results })
  }

  #counts(url: URL): TargetCounts {
    const from = Date.parse(url.searchParams.get('from') ?? '')
    const to = Date.parse(url.searchParams.get('to') ?? '')
    const counts = new TargetCounts()
    for (const click of [...this.clicks.values(), ...this.#repeats]) {
      const time = Date.parse(click.occurredAt)
      if (time >= from && time < to && !this.lose(click)) counts.add(click.target, click.bot ? 0 : 1, click.bot ? 1 : 0)
    }
    return counts
  }
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
