import { setTimeout as sleep } from 'node:timers/promises'
import { MadeClicks } from '@clicktally/made-clicks/made-clicks.ts'
import { HttpConnection, postText } from './http-connection.ts'

export interface PacedOptions {
  /** The base URL of whoever accepts clicks. */
  readonly url: string
  readonly requestsPerSecond: number
  readonly durationMs: number
  /** Default 1; more go to the route for batches. */
  readonly clicksPerRequest?: number
  /** Opened beforehand; a request whose time has come and that finds none free waits, and its latency with it. Default 64. */
  readonly connections?: number
  /** Requests that may wait for a connection; who comes then is not sent, and counted. Default 20,000. */
  readonly mostWaiting?: number
  readonly seed?: number
  readonly signal: AbortSignal
}

export interface PacedResult {
  /** Of requests answered 202, from the moment for which they were planned to the end of the answer; sorted. */
  readonly latenciesMs: Float64Array
  /** Of the clicks in them. */
  readonly acceptedIds: readonly string[]
  /** Clicks that were sent at least in part: the most that may have been accepted. */
  readonly sentClicks: number
  /** Requests by status, and `broken` for those whose connection broke. */
  readonly answers: Readonly<Record<string, number>>
  /** Requests that were planned and not sent, since too many waited. */
  readonly unsent: number
  /** How late the sender itself came to the requests, sorted; in each latency. */
  readonly latenessMs: Float64Array
  /** The most requests that waited for a connection. */
  readonly mostWaited: number
}

/** Below this rate each request's moment is met exactly, at the price of some CPU time before it. */
const exactBelowPerSecond = 200
const exactWithinMs = 2
/** After the last request, so long answers are waited for. */
const lastAnswersWithinMs = 15_000

/**
 * Sends clicks at a constant rate, whether or not answers come: each request has its moment, and its latency counts from
 * there. Who waited for an answer before sending the next would leave out the very requests that a slow server delays.
 */
export async function sendPaced(options: PacedOptions): Promise<PacedResult> {
  return await new PacedSending(options).run()
}

class PacedSending {
  readonly #options: Required<PacedOptions>
  readonly #made: MadeClicks
  readonly #free: HttpConnection[] = []
  readonly #all: HttpConnection[]
  /** The moments of requests that wait for a connection, the next at #firstWaiting. */
  #waiting: number[] = []
  #firstWaiting = 0
  #open = 0
  readonly #latencies: number[] = []
  readonly #lateness: number[] = []
  readonly #acceptedIds: string[] = []
  readonly #answers: Record<string, number> = {}
  #sentClicks = 0
  #unsent = 0
  #mostWaited = 0

  constructor(options: PacedOptions) {
    this.#options = { clicksPerRequest: 1, connections: 64, mostWaiting: 20_000, seed: 1, ...options }
    this.#made = new MadeClicks(this.#options.seed)
    this.#all = Array.from({ length: this.#options.connections }, () => new HttpConnection(options.url))
  }

  async run(): Promise<PacedResult> {
    try {
      await Promise.all(this.#all.map(async (connection) => await connection.open()))
      this.#free.push(...this.#all)
      await this.#sendAll()
      const deadlineMs = performance.now() + lastAnswersWithinMs
      while (this.#open + this.#waitingCount > 0 && performance.now() < deadlineMs) {
        await sleep(5, undefined, { signal: this.#options.signal })
      }
    } finally {
      for (const connection of this.#all) connection.close()
    }
    return {
      latenciesMs: Float64Array.from(this.#latencies).sort(),
      acceptedIds: this.#acceptedIds,
      sentClicks: this.#sentClicks,
      answers: this.#answers,
      unsent: this.#unsent,
      latenessMs: Float64Array.from(this.#lateness).sort(),
      mostWaited: this.#mostWaited,
    }
  }

  get #waitingCount(): number {
    return this.#waiting.length - this.#firstWaiting
  }

  async #sendAll(): Promise<void> {
    const { requestsPerSecond, durationMs, mostWaiting, signal } = this.#options
    const count = Math.round((requestsPerSecond * durationMs) / 1_000)
    const startMs = performance.now() + 5
    for (let index = 0; index < count; ) {
      const momentMs = startMs + (index * 1_000) / requestsPerSecond
      await this.#until(momentMs)
      signal.throwIfAborted()
      const nowMs = performance.now()
      // All whose moment has come, after a pause of ours too.
      for (; index < count; index++) {
        const nextMs = startMs + (index * 1_000) / requestsPerSecond
        if (nextMs > nowMs) break
        this.#lateness.push(nowMs - nextMs)
        if (this.#waitingCount >= mostWaiting) this.#unsent += 1
        else this.#waiting.push(nextMs)
      }
      this.#sendWaiting()
      this.#mostWaited = Math.max(this.#mostWaited, this.#waitingCount)
    }
  }

  /** A timer of Node's comes up to a millisecond late. */
  async #until(momentMs: number): Promise<void> {
    const isExact = this.#options.requestsPerSecond < exactBelowPerSecond
    const waitMs = momentMs - performance.now() - (isExact ? exactWithinMs : 0)
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: this.#options.signal })
    while (isExact && performance.now() < momentMs) await new Promise(setImmediate)
  }

  #sendWaiting(): void {
    while (this.#waitingCount > 0) {
      const connection = this.#free.pop()
      if (connection === undefined) return
      const momentMs = this.#waiting[this.#firstWaiting] ?? 0
      this.#firstWaiting += 1
      if (this.#firstWaiting > 1_000 && this.#firstWaiting * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#firstWaiting)
        this.#firstWaiting = 0
      }
      this.#open += 1
      void this.#send(connection, momentMs)
    }
  }

  async #send(connection: HttpConnection, momentMs: number): Promise<void> {
    const { clicksPerRequest } = this.#options
    const clicks = Array.from({ length: clicksPerRequest }, () => this.#made.next(Date.now()))
    const single = clicksPerRequest === 1
    const body = JSON.stringify(single ? clicks[0] : { events: clicks })
    this.#sentClicks += clicksPerRequest
    let answer: string
    try {
      answer = String(await connection.send(postText(single ? '/v1/events' : '/v1/events/batch', body)))
    } catch {
      answer = 'broken'
    }
    const nowMs = performance.now()
    this.#answers[answer] = (this.#answers[answer] ?? 0) + 1
    if (answer === '202') {
      this.#latencies.push(nowMs - momentMs)
      for (const { id } of clicks) this.#acceptedIds.push(id)
    }
    this.#open -= 1
    this.#free.push(connection)
    this.#sendWaiting()
  }
}
