import { setTimeout as sleep } from 'node:timers/promises'
import type { Balance } from '@clicktally/database/balance.ts'
import { patience } from '@clicktally/testing/patience.ts'
import type { AcceptLog } from './accept-log.ts'
import { type Answer, type Claim, checkAnswer, describeError, isWrong } from './answer-check.ts'

export interface AnswerWatchOptions {
  /** Base URLs to query: nginx, as a user would, and each api if there are several. */
  readonly endpoints: readonly string[]
  /** A key that may read counts and the balance. */
  readonly key: string
  readonly log: AcceptLog
  /** The state before the first click of the log. The system had settled. */
  readonly before: {
    /** When it was read, in milliseconds since 1970. An answer with an earlier `asOf` may lack clicks of this state. */
    readonly atMs: number
    /** The sum of the counters of all targets, bots included. */
    readonly counted: number
    readonly balance: Balance
  }
  /** Pause between an answer and the next request, in milliseconds. Default: 250. */
  readonly pauseMs?: number
  /** How long stop() retries if there has been no answer yet, in milliseconds. Default: 60,000. */
  readonly firstAnswerWithinMs?: number
}

export interface AnswerTally {
  /** Answers with an `asOf`. */
  readonly answers: number
  /** Those that lacked clicks accepted before their `asOf`, or whose `asOf` was in the future. */
  readonly wrong: number
}

export interface AnswerVerdict {
  readonly counts: AnswerTally
  readonly balance: AnswerTally
  /** One sentence for each problem; empty if there is none. */
  readonly problems: readonly string[]
}

/** Short enough to notice an error that lasts half a second, and cheap compared with the load. */
const usualPauseMs = 250
/** Longer than nginx waits for an api. */
const answerWithinMs = 10_000
/** The api accepts 100 targets in a request: the oldest, which `asOf` passes first, and the newest. */
const oldestTargets = 60
const newestTargets = 40
/** Characters of a request path that are shown. */
const shownPath = 40
/** How many wrong answers are described; all are counted. */
const maxDescribed = 2

type Body = Record<string, unknown>

/**
 * Queries the api continuously, from the start of a row until the system has settled, and compares each answer with the
 * clicks that were answered with 202 before its `meta.asOf`. Errors and broken connections are ignored.
 *
 * The requests: counts of single targets (`/v1/counts/top`), of several targets together and of all targets (`/v1/counts`; the
 * request for all targets never changes, so that nginx may answer it from its cache), and the balance.
 */
export class AnswerWatch {
  readonly #options: AnswerWatchOptions
  /** The last count of each target. */
  readonly #seen = new Map<string, number>()
  readonly #answers = { counts: 0, balance: 0 }
  /** Answers that lack clicks, which may be dead ones. At most as many as a row has requests: some thousand. */
  readonly #doubtful: Answer[] = []
  readonly #unreadable = new Set<string>()
  readonly #asking: Promise<unknown>
  readonly #stopping = new AbortController()

  constructor(options: AnswerWatchOptions) {
    this.#options = options
    this.#asking = Promise.all(
      options.endpoints.flatMap((endpoint) => [
        this.#keepAsking(() => this.#askTop(endpoint)),
        this.#keepAsking(() => this.#askCounts(endpoint)),
        this.#keepAsking(() => this.#askTotal(endpoint)),
        this.#keepAsking(() => this.#askBalance(endpoint)),
      ]),
    )
  }

  /** Sends each request once more, then stops. Continues only while there has been no answer: on a busy machine all may have failed. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#asking
    const { endpoints, pauseMs = usualPauseMs, firstAnswerWithinMs = patience.timeout } = this.#options
    const deadlineMs = performance.now() + firstAnswerWithinMs
    while ((this.#answers.counts === 0 || this.#answers.balance === 0) && performance.now() < deadlineMs) {
      await Promise.all(endpoints.flatMap((endpoint) => [this.#askTotal(endpoint), this.#askBalance(endpoint)]))
      await sleep(pauseMs)
    }
  }

  /** @param dead ids of accepted clicks that ended in the dead letters, and so are in no count. */
  judge(dead: Iterable<string>): AnswerVerdict {
    const { log } = this.#options
    const countable = log.without(dead)
    const wrong = this.#doubtful.flatMap((answer) => {
      const error = checkAnswer(answer.kind === 'counts' ? countable : log, answer)
      return isWrong(error) ? [{ answer, error }] : []
    })
    const tally = (kind: Answer['kind']): AnswerTally => ({
      answers: this.#answers[kind],
      wrong: wrong.filter(({ answer }) => answer.kind === kind).length,
    })
    const verdict = { counts: tally('counts'), balance: tally('balance') }
    const described = wrong
      .toSorted((one, other) => other.error.missing - one.error.missing)
      .slice(0, maxDescribed)
      .map(({ answer, error }) => describeError(answer, error))
    const problems = [
      ...(wrong.length > 0
        ? [`${wrong.length} answers were wrong: ${described.join('; ')}${wrong.length > maxDescribed ? '; …' : ''}`]
        : []),
      // Without an answer, nothing has been verified.
      ...(verdict.counts.answers === 0 || verdict.balance.answers === 0
        ? ['the api gave no answer that could be checked']
        : []),
      ...this.#unreadable,
    ]
    return { ...verdict, problems }
  }

  async #keepAsking(ask: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping
    const { pauseMs = usualPauseMs } = this.#options
    for (let isLast = false; !isLast; ) {
      isLast = signal.aborted
      await ask()
      await sleep(pauseMs, undefined, { signal }).catch(() => {})
    }
  }

  async #askTop(endpoint: string): Promise<void> {
    const targets = this.#openTargets()
    const path = `/v1/counts/top?limit=${oldestTargets + newestTargets}&target=${listed(targets)}`
    await this.#ask('counts', endpoint, path, (body) => {
      const counted = new Map((body.targets as Body[]).map((row) => [String(row.target), clicksOf(row)]))
      for (const [target, clicks] of counted) this.#seen.set(target, clicks)
      return targets.map((target) => ({ targets: [target], counted: counted.get(target) ?? 0 }))
    })
  }

  async #askCounts(endpoint: string): Promise<void> {
    const targets = this.#openTargets()
    await this.#ask('counts', endpoint, `/v1/counts?target=${listed(targets)}`, (body) => [
      { targets, counted: clicksOf(body) },
    ])
  }

  async #askTotal(endpoint: string): Promise<void> {
    const { before } = this.#options
    await this.#ask('counts', endpoint, '/v1/counts', (body) => [
      { targets: undefined, counted: clicksOf(body) - before.counted },
    ])
  }

  /**
   * Every click accepted before `asOf` must be counted, dead, discarded or in flight. Duplicates are left out, since they are
   * repetitions of clicks that are already included.
   */
  async #askBalance(endpoint: string): Promise<void> {
    const { before } = this.#options
    const known = (body: Body) =>
      numberOf(body.counted) + numberOf(body.dead) + numberOf(body.discarded) + numberOf(body.inFlight)
    await this.#ask('balance', endpoint, '/v1/balance', (body) => [
      { targets: undefined, counted: known(body) - known({ ...before.balance }) },
    ])
  }

  async #ask(kind: Answer['kind'], endpoint: string, path: string, claimsOf: (body: Body) => Claim[]): Promise<void> {
    const text = await read(new URL(path, endpoint), this.#options.key)
    if (text === undefined) return
    const receivedAtMs = Date.now()
    try {
      const body = JSON.parse(text) as Body
      const claims = claimsOf(body)
      const { asOf } = body.meta as { asOf: string | null }
      // The balance contains it twice.
      const times = [asOf, body.knownThrough].filter((time) => typeof time === 'string')
      if (times.length === 0) return
      const asOfMs = numberOf(Math.max(...times.map((time) => Date.parse(time))))
      this.#answers[kind] += 1
      const request = `${endpoint}${path.slice(0, shownPath)}`
      const isFromBefore = asOfMs < this.#options.before.atMs
      const comparable = claims.filter(({ targets }) => targets !== undefined || !isFromBefore)
      const answer = { kind, request, asOfMs, receivedAtMs, claims: comparable }
      if (isWrong(checkAnswer(this.#options.log, answer))) this.#doubtful.push(answer)
    } catch (error) {
      this.#unreadable.add(`an answer to ${path.slice(0, shownPath)} is invalid: ${(error as Error).message}`)
    }
  }

  /** Targets whose last count lacks accepted clicks: at most as many as the api accepts in a request. */
  #openTargets(): string[] {
    const { log } = this.#options
    const open = [...log.targets].filter((target) => (this.#seen.get(target) ?? 0) < log.acceptedOn(target))
    if (open.length <= oldestTargets + newestTargets) return open.length > 0 ? open : [...log.targets].slice(-1)
    return [...open.slice(0, oldestTargets), ...open.slice(-newestTargets)]
  }
}

/** The complete body of a 200; undefined for errors, which are expected during a fault. */
async function read(url: URL, key: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(answerWithinMs),
    })
    const text = await response.text()
    return response.status === 200 ? text : undefined
  } catch {
    return undefined
  }
}

function clicksOf({ total, bots }: Body): number {
  return numberOf(total) + numberOf(bots)
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${String(value)} is not a number`)
  return value
}

function listed(targets: readonly string[]): string {
  return targets.map((target) => encodeURIComponent(target.replace(/[\\,]/g, '\\$&'))).join(',')
}
