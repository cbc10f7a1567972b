import { setTimeout as sleep } from 'node:timers/promises'
import { ask, describeAnswer, jsonObject, mayRetry, retryDelayMs } from './answer.ts'
import { ClientError } from './client-error.ts'
import { TargetCounts } from './target-counts.ts'

const answerTimeoutMs = 15_000
const targetsPerPage = 1_000

/** A stretch of time in whole milliseconds since 1970; `toMs` is not part of it. */
export interface TimeRange {
  fromMs: number
  toMs: number
}

/** What the api has counted in all. */
export interface Totals {
  people: number
  bots: number
  /** Every click accepted before this moment is counted. By the server's clock, milliseconds since 1970. */
  asOfMs: number
  /** A moment by the server's clock, not before it answered. */
  serverTimeMs: number
}

/** What the api has counted target by target; `asOfMs` as in the totals, of the page that was oldest. */
export interface ListedTargets {
  counts: TargetCounts
  asOfMs: number
}

/** Reads counts of one stretch of time from the api, patiently. */
export class CountsReader {
  readonly #url: string
  readonly #range: TimeRange
  readonly #patienceMs: number
  readonly #signal: AbortSignal

  /**
   * @param url where the server is, as in `http://127.0.0.1:8080`
   * @param range whole minutes
   * @param patienceMs how long one question is asked while no answer or 408, 429 or 5xx comes
   */
  constructor(url: string, range: TimeRange, patienceMs: number, signal: AbortSignal) {
    this.#url = url
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

  /** Every target, read page by page: consistent where no click is counted meanwhile. */
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
      const answer = await ask(url, {}, this.#signal, Math.min(answerTimeoutMs, this.#patienceMs))
      const body = answer.status === 200 ? jsonObject(answer) : undefined
      if (body) return { body, asOfMs: asOf(body), serverTimeMs: answer.serverTimeMs }
      if (!mayRetry(answer)) {
        throw new ClientError(
          `${url.origin} does not answer as Clicktally: GET ${url.pathname}: ${describeAnswer(answer)}`,
        )
      }
      const delayMs = retryDelayMs(tries, answer)
      if (performance.now() + delayMs > deadlineMs) {
        throw new ClientError(
          `${url.origin} does not answer: GET ${url.pathname}: ${describeAnswer(answer)}. ` +
            'Is Clicktally running there? `npm start` runs it on http://127.0.0.1:8080.',
        )
      }
      await sleep(delayMs, undefined, { signal: this.#signal })
    }
  }
}

/** 0, which is never late enough, where the answer does not say. */
function asOf({ meta }: Record<string, unknown>): number {
  return typeof meta === 'object' && meta !== null && 'asOf' in meta ? Date.parse(String(meta.asOf)) || 0 : 0
}

function unfit(path: string, body: Record<string, unknown>): ClientError {
  return new ClientError(`The answer to GET /${path} can't be understood: ${JSON.stringify(body).slice(0, 200)}`)
}
