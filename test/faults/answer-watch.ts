import { setTimeout as sleep } from 'node:timers/promises'
import type { Balance } from '@clicktally/database/balance.ts'
import type { AcceptLog } from './accept-log.ts'
import { type Answer, type Claim, checkAnswer, describeLie, isLie } from './answer-check.ts'

export interface AnswerWatchOptions {
  /** Base URLs to ask: nginx as a user would, and each api where there are several. */
  readonly doors: readonly string[]
  readonly log: AcceptLog
  /** What was there before the first click of the log: everything was at rest. */
  readonly before: {
    /** When that was so, in milliseconds since 1970. An answer as of earlier lacks clicks that are in it. */
    readonly atMs: number
    /** The sum of the counters of all targets, bots included. */
    readonly counted: number
    readonly balance: Balance
  }
  /** Between the answer to a question and the next one, in milliseconds. Default 250. */
  readonly pauseMs?: number
}

export interface AnswerTally {
  /** Answers that named a time. */
  readonly answers: number
  /** Those of them that claimed too much. */
  readonly lies: number
}

export interface AnswerVerdict {
  readonly counts: AnswerTally
  readonly balance: AnswerTally
  /** A sentence about what was wrong; empty when nothing was. */
  readonly problems: readonly string[]
}

/** Often enough to see what lasts for half a second, and cheap beside the load. */
const usualPauseMs = 250
/** nginx gives up on an api sooner. */
const answerWithinMs = 10_000
/** The api takes 100 in one question: the oldest, which `asOf` passes first, and the newest. */
const oldestTargets = 60
const newestTargets = 40
/** Characters of a question that are told. */
const shownPath = 40
/** How many lies are told in words; all are counted. */
const toldLies = 2

type Body = Record<string, unknown>

/**
 * Asks the api all the time, from the beginning of a row until everything has come to rest, and compares each answer with
 * what was answered 202 before its `meta.asOf`. No answer (an error, a connection that breaks) claims nothing.
 *
 * The questions: each target for itself (`/v1/counts/top`), some together and all together (`/v1/counts`; the latter is always
 * the same question, so that it meets nginx's cache), and the balance.
 */
export class AnswerWatch {
  readonly #options: AnswerWatchOptions
  /** What each target's count was when it was last told. */
  readonly #seen = new Map<string, number>()
  readonly #answers = { counts: 0, balance: 0 }
  /** Answers that are short of clicks, perhaps of dead ones. No more than a row has questions: some thousand. */
  readonly #doubtful: Answer[] = []
  readonly #unreadable = new Set<string>()
  readonly #asking: Promise<unknown>
  readonly #stopping = new AbortController()

  constructor(options: AnswerWatchOptions) {
    this.#options = options
    this.#asking = Promise.all(
      options.doors.flatMap((door) => [
        this.#keepAsking(() => this.#askTop(door)),
        this.#keepAsking(() => this.#askCounts(door)),
        this.#keepAsking(() => this.#askTotal(door)),
        this.#keepAsking(() => this.#askBalance(door)),
      ]),
    )
  }

  /** Asks everything once more, and no more after that. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#asking
  }

  /** @param dead ids of accepted clicks that ended in the dead letters: no count owes them. */
  judge(dead: Iterable<string>): AnswerVerdict {
    const { log } = this.#options
    const countable = log.without(dead)
    const lies = this.#doubtful.flatMap((answer) => {
      const untruth = checkAnswer(answer.kind === 'counts' ? countable : log, answer)
      return isLie(untruth) ? [{ answer, untruth }] : []
    })
    const tally = (kind: Answer['kind']): AnswerTally => ({
      answers: this.#answers[kind],
      lies: lies.filter(({ answer }) => answer.kind === kind).length,
    })
    const verdict = { counts: tally('counts'), balance: tally('balance') }
    const told = lies
      .toSorted((one, other) => other.untruth.missing - one.untruth.missing)
      .slice(0, toldLies)
      .map(({ answer, untruth }) => describeLie(answer, untruth))
    const problems = [
      ...(lies.length > 0
        ? [`${lies.length} answers claimed too much: ${told.join('; ')}${lies.length > toldLies ? '; …' : ''}`]
        : []),
      // Nobody who got no answer has shown that answers are true.
      ...(verdict.counts.answers === 0 || verdict.balance.answers === 0 ? ['no answer was there to be checked'] : []),
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

  async #askTop(door: string): Promise<void> {
    const targets = this.#openTargets()
    const question = `/v1/counts/top?limit=${oldestTargets + newestTargets}&target=${listed(targets)}`
    await this.#ask('counts', door, question, (body) => {
      const counted = new Map((body.targets as Body[]).map((row) => [String(row.target), clicksOf(row)]))
      for (const [target, clicks] of counted) this.#seen.set(target, clicks)
      return targets.map((target) => ({ targets: [target], counted: counted.get(target) ?? 0 }))
    })
  }

  async #askCounts(door: string): Promise<void> {
    const targets = this.#openTargets()
    await this.#ask('counts', door, `/v1/counts?target=${listed(targets)}`, (body) => [
      { targets, counted: clicksOf(body) },
    ])
  }

  async #askTotal(door: string): Promise<void> {
    const { before } = this.#options
    await this.#ask('counts', door, '/v1/counts', (body) => [
      { targets: undefined, counted: clicksOf(body) - before.counted },
    ])
  }

  /**
   * Of what was accepted before `asOf` the balance must know: counted, dead, or in flight. With nothing in flight it must be at
   * one of its ends. Duplicates are left out, since they are other sendings of clicks that are there already.
   */
  async #askBalance(door: string): Promise<void> {
    const { before } = this.#options
    const known = (body: Body) =>
      numberOf(body.counted) + numberOf(body.dead) + numberOf(body.discarded) + numberOf(body.inFlight)
    await this.#ask('balance', door, '/v1/balance', (body) => [
      { targets: undefined, counted: known(body) - known({ ...before.balance }) },
    ])
  }

  async #ask(kind: Answer['kind'], door: string, path: string, claimsOf: (body: Body) => Claim[]): Promise<void> {
    const text = await read(new URL(path, door))
    if (text === undefined) return
    const receivedAtMs = Date.now()
    try {
      const body = JSON.parse(text) as Body
      const claims = claimsOf(body)
      const { asOf } = body.meta as { asOf: string | null }
      // The balance says it twice.
      const times = [asOf, body.knownThrough].filter((time) => typeof time === 'string')
      if (times.length === 0) return
      const asOfMs = numberOf(Math.max(...times.map((time) => Date.parse(time))))
      this.#answers[kind] += 1
      const question = `${door}${path.slice(0, shownPath)}`
      const isFromBefore = asOfMs < this.#options.before.atMs
      const comparable = claims.filter(({ targets }) => targets !== undefined || !isFromBefore)
      const answer = { kind, question, asOfMs, receivedAtMs, claims: comparable }
      if (isLie(checkAnswer(this.#options.log, answer))) this.#doubtful.push(answer)
    } catch (error) {
      this.#unreadable.add(`an answer to ${path.slice(0, shownPath)} cannot be read: ${(error as Error).message}`)
    }
  }

  /** Targets of which not all accepted clicks have been seen in a count: at most as many as the api takes in one question. */
  #openTargets(): string[] {
    const { log } = this.#options
    const open = [...log.targets].filter((target) => (this.#seen.get(target) ?? 0) < log.acceptedOn(target))
    if (open.length <= oldestTargets + newestTargets) return open.length > 0 ? open : [...log.targets].slice(-1)
    return [...open.slice(0, oldestTargets), ...open.slice(-newestTargets)]
  }
}

/** The whole body of a 200; undefined where there is none: that the api cannot be reached is what is broken, or it says so. */
async function read(url: URL): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerWithinMs) })
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
