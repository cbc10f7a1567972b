import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { settle } from '@clicktally/database/settling.ts'
import { ClickLoad, type ClickLoadOptions } from '@clicktally/load/click-load.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { until } from '@clicktally/testing/until.ts'
import { AcceptLog } from './accept-log.ts'
import { AnswerWatch } from './answer-watch.ts'
import { lettersSince, newestLetter } from './dead-letters.ts'
import { insist } from './insist.ts'
import { askOracle } from './oracle.ts'
import { RowWatch } from './row-watch.ts'
import type { Breaking, Recovery, Row, RowOptions } from './stage.ts'
import type { SystemUnderTest } from './system-under-test.ts'

export interface RowPlayOptions extends RowOptions {
  readonly system: SystemUnderTest
  readonly number: number
  readonly name: string
  /** Prefix of the row's targets, which no other row uses. */
  readonly prefix: string
  readonly clicksAround: number
}

interface Played {
  readonly load: ClickLoad
  readonly watch: RowWatch
  readonly answers: AnswerWatch
  readonly before: Balance
  readonly after: Balance
  readonly lettersAfter: number
}

/** Targets in use at the same time, and clicks on each before it is replaced. */
const usualTargets = 8
const usualClicksPerTarget = 25

/**
 * Runs one row of the table. The system has settled before it and after it.
 *
 * warm-up (clicks are accepted) → fault → recovery (until the backlog is gone) → cool-down (clicks are accepted) → settling (the
 * load has stopped) → checks.
 */
export class RowPlay {
  readonly #options: RowPlayOptions
  readonly #problems: string[] = []
  readonly #accepted = new AcceptLog()
  #load: ClickLoad | undefined
  #watch: RowWatch | undefined
  #deadExpected = 0

  constructor(options: RowPlayOptions) {
    this.#options = options
  }

  /** For the status line: clicks that were sent, accepted, and counted or dead. */
  get progress(): { sent: number; accepted: number; counted: number } {
    return {
      sent: this.#load?.sent ?? 0,
      accepted: this.#load?.accepted ?? 0,
      counted: this.#watch?.counted ?? 0,
    }
  }

  async play(fault: (breaking: Breaking) => Promise<void>): Promise<Row> {
    const { system, clicksAround } = this.#options
    const before = await insist(() => readBalance(system.database))
    const lettersAfter = await insist(() => newestLetter(system.pool))
    const counted = await insist(() => countedClicks(system))
    const load = new ClickLoad(this.#loadOptions())
    const watch = new RowWatch(system.pool, load, lettersAfter)
    const answers = new AnswerWatch({
      endpoints: system.readEndpoints,
      key: system.ownerKey,
      log: this.#accepted,
      before: { atMs: Date.now(), counted, balance: before },
    })
    this.#load = load
    this.#watch = watch
    try {
      await until(() => load.accepted >= clicksAround, 'clicks to be accepted before the fault')
      await this.#try(() => fault(this.#breaking(load, watch)))
      await this.#try(() => this.#recover(load, watch, clicksAround))
      await load.stop()
      const after = await settle(system, patience.timeout)
      await Promise.all([watch.stop(), answers.stop()])
      return await this.#judge({ load, watch, answers, before, after, lettersAfter })
    } finally {
      await Promise.all([load.stop(), watch.stop(), answers.stop()])
    }
  }

  #loadOptions(): ClickLoadOptions {
    const { system, prefix, load } = this.#options
    return {
      endpoints: system.endpoints,
      key: system.ownerKey,
      targets: Array.from({ length: usualTargets }, (_, index) => `${prefix}-${index}`),
      connections: 16,
      clicksPerSecond: 300,
      batchEvery: 12,
      batchClicks: 20,
      giveUpEvery: 15,
      ...(load?.targets === undefined && { clicksPerTarget: usualClicksPerTarget }),
      ...load,
      onAccepted: (clicks) => {
        this.#accepted.accept(clicks, Date.now())
        load?.onAccepted?.(clicks)
      },
    }
  }

  #breaking(load: ClickLoad, watch: RowWatch): Breaking {
    return {
      load,
      broken: () => watch.broken(),
      restored: () => watch.restored(),
      recovered: () => recovered(watch),
      expectDead: (clicks) => {
        this.#deadExpected += clicks
      },
    }
  }

  async #recover(load: ClickLoad, watch: RowWatch, clicks: number): Promise<void> {
    if (watch.isBroken) throw new Error('the scenario did not call restored()')
    if (watch.times > 0) {
      await recovered(watch)
      await untilBacklogIsGone(watch)
    }
    const accepted = load.accepted + clicks
    await until(() => load.accepted >= accepted, 'clicks to be accepted after the fault')
  }

  /** Adds an error to the row's problems; the row continues. */
  async #try(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      this.#problems.push((error as Error).message)
    }
  }

  async #judge(played: Played): Promise<Row> {
    const { load, watch, before, after, lettersAfter } = played
    const { system, number, name } = this.#options
    const { sent, accepted, answers, slowestAnswerMs } = await load.stop()
    const { lost, unexpected, ...verdict } = await insist(() => askOracle(system.pool, sent, accepted, lettersAfter))
    const letters = await insist(() => lettersSince(system.pool, lettersAfter))
    const apiAnswers = played.answers.judge(letters.flatMap(({ clickIds }) => clickIds))
    const row = {
      number,
      name,
      times: watch.times,
      ...watch.summary(),
      sent: sent.size,
      accepted: accepted.size,
      ...verdict,
      duplicates: after.duplicates - before.duplicates,
      dead: after.dead - before.dead,
      deadExpected: this.#deadExpected,
      lost: lost.length,
      unexpected: unexpected.length,
      inFlight: after.inFlight,
      answers,
      slowestAnswerMs,
      apiAnswers,
    }
    const problems = this.#problems
    if (this.#options.mayBeWrongBecause === undefined) problems.push(...apiAnswers.problems)
    if (row.lost > 0) problems.push(`${row.lost} clicks are lost, such as ${lost.slice(0, 3).join(', ')}`)
    if (row.unexpected > 0)
      problems.push(
        `${row.unexpected} stored or dead clicks were never sent, such as ${unexpected.slice(0, 3).join(', ')}`,
      )
    if (row.overcounted > 0) problems.push(`the counters differ from the stored clicks by ${row.overcounted}`)
    if (row.dead !== row.deadExpected) problems.push(`${row.dead} clicks are dead, ${row.deadExpected} were expected`)
    if (row.inFlight !== 0)
      problems.push(`according to the balance, ${row.inFlight} clicks are in flight after settling`)
    const counted = after.counted - before.counted
    if (counted !== row.counted)
      problems.push(`according to the balance, ${counted} clicks were counted, not ${row.counted}`)
    for (const [answer, times] of Object.entries(answers)) {
      if (/^4/.test(answer) && answer !== '429') problems.push(`${times} requests were answered with ${answer}`)
    }
    return { ...row, problems }
  }
}

async function untilBacklogIsGone(watch: RowWatch): Promise<void> {
  while (!watch.isBacklogGone) {
    const { counted } = watch
    await until(() => watch.isBacklogGone || watch.counted > counted, 'a click of the backlog to be counted')
  }
}

async function recovered(watch: RowWatch): Promise<Recovery> {
  await until(() => watch.recovery !== undefined, 'clicks to be accepted and counted again')
  if (watch.recovery === undefined) throw new Error('the next fault started before the recovery')
  return watch.recovery
}

/** Clicks on all targets, as the api counts them. */
async function countedClicks({ pool }: SystemUnderTest): Promise<number> {
  const { rows } = await pool.query<{ counted: number }>(
    'select coalesce(sum(total + bots), 0) as counted from counters',
  )
  return rows[0]?.counted ?? Number.NaN
}
