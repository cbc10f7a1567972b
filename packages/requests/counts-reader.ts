import { setTimeout as sleep } from 'node:timers/promises'
import { ask, describeAnswer, jsonObject, mayRetry, retryDelayMs } from './answer.ts'
import { RequestError } from './request-error.ts'
import { TargetCounts } from './target-counts.ts'

const answerTimeoutMs = 15_000
const targetsPerPage = 1_000

/** A half-open time range, in whole milliseconds since 1970. */
export interface TimeRange {
  fromMs: number
  toMs: number
}

/** Totals from the api. */
export interface Totals {
  people: number
  bots: number
  /** All clicks accepted before this time are included. By the server's clock, in milliseconds since 1970. */
  asOfMs: number
  /** Time of the response by the server's clock, rounded up. */
  serverTimeMs: number
}

/** Counts by target from the api. `asOfMs` is the earliest of all pages. */
export interface ListedTargets {
  counts: TargetCounts
  asOfMs: number
}

/** Reads the counts of a time range from the api, with retries. */
export class CountsReader {
  readonly #url: string
  readonly #key: string
  readonly #range: TimeRange
  readonly #patienceMs: number
  readonly #signal: AbortSignal

  /**
   * @param url base URL of the server, such as `http://127.0.0.1:8080`
   * @param key a key that may read
   * @param range whole minutes
   * @param patienceMs how long a query is retried without a response, or after 408, 429 or 5xx
   */
  constructor(url: string, key: string, range: TimeRange, patienceMs: number, signal: AbortSignal) {
    this.#url = url
    this.#key = key
    this.#range = range
    this.#patienceMs = patienceMs
    this.#signal = signal
  }

  async totals(): Promise<Totals> {
    const { body, asOfMs, serverTimeMs } = await this.#read('v1/counts', {})
    const { total, bots } = body
    if (typeof total !== 'number' || typeof bots !== 'number') throw unfit('v1/counts', body)
    return { people: total, bots, asOfMs, serverTimeMs }
  }

  /** Reads all targets, page by page. Consistent only if no click is counted meanwhile. */
  async targets(): Promise<ListedTargets> {
    const listed: ListedTargets = { counts: new TargetCounts(), asOfMs: Infinity }
    let cursor: string | undefined
    do {
      const { body, asOfMs } = await this.#read('v1/counts/top', {
        limit: String(targetsPerPage),
        ...(cursor !== undefined && { cursor }),
      })
      if (!Array.isArray(body.targets)) throw unfit('v1/counts/top', body)
      for (const { target, total, bots } of body.targets as Record<string, unknown>[]) {
        if (typeof target !== 'string' || typeof total !== 'number' || typeof bots !== 'number') {
          throw unfit('v1/counts/top', body)
        }
        listed.counts.add(target, total, bots)
      }
      if (body.nextCursor === cursor) throw unfit('v1/counts/top', body)
      cursor = typeof body.nextCursor === 'string' ? body.nextCursor : undefined
      listed.asOfMs = Math.min(listed.asOfMs, asOfMs)
    } while (cursor !== undefined)
    return listed
  }

  async #read(
    path: string,
    query: Record<string, string>,
  ): Promise<{ body: Record<string, unknown>; asOfMs: number; serverTimeMs: number }> {
    const deadlineMs = performance.now() + this.#patienceMs
    const url = new URL(path, this.#url)
    url.search = new URLSearchParams({
      from: new Date(this.#range.fromMs).toISOString(),
      to: new Date(this.#range.toMs).toISOString(),
      ...query,
    }).toString()
    for (let tries = 1; ; tries++) {
      const answer = await ask(
        url,
        { headers: { authorization: `Bearer ${this.#key}` } },
        this.#signal,
        Math.min(answerTimeoutMs, this.#patienceMs),
      )
      const body = answer.status === 200 ? jsonObject(answer) : undefined
      if (body) return { body, asOfMs: asOf(body), serverTimeMs: answer.serverTimeMs }
      if (!mayRetry(answer)) {
        throw new RequestError(
          `${url.origin} does not answer as Clicktally: GET ${url.pathname}: ${describeAnswer(answer)}`,
        )
      }
      const delayMs = retryDelayMs(tries, answer)
      if (performance.now() + delayMs > deadlineMs) {
        throw new RequestError(
          `${url.origin} does not answer: GET ${url.pathname}: ${describeAnswer(answer)}. ` +
            'Is Clicktally running there? `npm start` runs it on http://127.0.0.1:8080.',
        )
      }
      await sleep(delayMs, undefined, { signal: this.#signal })
    }
  }
}

/** Returns 0, which is before any time, if the response has none. */
function asOf({ meta }: Record<string, unknown>): number {
  return typeof meta === 'object' && meta !== null && 'asOf' in meta ? Date.parse(String(meta.asOf)) || 0 : 0
}

function unfit(path: string, body: Record<string, unknown>): RequestError {
  return new RequestError(`The answer to GET /${path} can't be understood: ${JSON.stringify(body).slice(0, 200)}`)
}
