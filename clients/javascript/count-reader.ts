import type { Counts, Interval, Receipt, Series, Top } from './counts.ts'
import { ask, baseUrl, errorOf, mayRetry, pause, retryDelayMs } from './request.ts'

export interface ReaderOptions {
  /** Where Clicktally is: `https://counts.example`. */
  readonly url: string | URL
  /** A key that may read. */
  readonly key: string
  /** How long to wait for an answer, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number
  /** How often a query is repeated that was not answered, or refused for now. Default 2. */
  readonly retries?: number
  readonly fetch?: typeof globalThis.fetch
}

export interface CountsQuery {
  /** Only these targets. */
  readonly target?: string | readonly string[]
  /** Only targets that begin with this text. Not together with `target`. */
  readonly targetPrefix?: string
  /** Start of the range: RFC 3339, or a date, which begins at midnight in `tz`. */
  readonly from?: string | Date
  /** End of the range, exclusive. */
  readonly to?: string | Date
  /** IANA time zone. Default: UTC. */
  readonly tz?: string
  /** Another project than that of the key; for keys of the roles auditor and owner. */
  readonly project?: string
}

export interface SeriesQuery extends CountsQuery {
  readonly interval: Interval
  readonly weekStart?: 'monday' | 'sunday'
  /** Whether to count distinct visitors too. */
  readonly visitors?: boolean
}

export interface TopQuery extends CountsQuery {
  /** Default 10, at most 1,000. */
  readonly limit?: number
  readonly cursor?: string
  /** Whether to count distinct visitors too. */
  readonly visitors?: boolean
}

/** Reads counts. Each method throws a {@link ClicktallyError} if the query is refused or not answered. */
export class CountReader {
  readonly #url: URL
  readonly #key: string
  readonly #options: Required<Omit<ReaderOptions, 'url' | 'key'>>

  constructor({ url, key, ...options }: ReaderOptions) {
    this.#url = baseUrl(url)
    this.#key = key
    this.#options = { timeoutMs: 10_000, retries: 2, fetch: (...args) => globalThis.fetch(...args), ...options }
  }

  /** Clicks and distinct visitors. */
  counts(query: CountsQuery = {}): Promise<Counts> {
    return this.#read('v1/counts', query)
  }

  /** Clicks over time: one point for each bucket, empty ones included. */
  series(query: SeriesQuery): Promise<Series> {
    return this.#read('v1/counts/series', query)
  }

  /** The most clicked targets. */
  top(query: TopQuery = {}): Promise<Top> {
    return this.#read('v1/counts/top', query)
  }

  /** What became of a click. */
  receipt(id: string): Promise<Receipt> {
    return this.#read(`v1/events/${encodeURIComponent(id)}`, {})
  }

  async #read<Body>(path: string, query: object): Promise<Body> {
    const { retries, ...options } = this.#options
    const url = new URL(path, this.#url)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, parameter(name, value))
    }
    for (let tries = 1; ; tries += 1) {
      const answer = await ask(url, { headers: { authorization: `Bearer ${this.#key}` } }, options)
      if (answer.status === 200 && answer.body !== undefined) return answer.body as Body
      if (!mayRetry(answer) || tries > retries) throw errorOf(url, answer)
      await pause(retryDelayMs(tries, answer))
    }
  }
}

function parameter(name: string, value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  // Several targets are separated by commas.
  if (name === 'target')
    return [value]
      .flat()
      .map((target) => String(target).replace(/[\\,]/g, '\\$&'))
      .join(',')
  return String(value)
}
