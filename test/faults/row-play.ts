import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { settle } from '@clicktally/database/settling.ts'
import { ClickLoad, type ClickLoadOptions } from '@clicktally/e2e/click-load.ts'
import { until } from '@clicktally/testing/until.ts'
import { AcceptLog } from './accept-log.ts'
import { AnswerWatch } from './answer-watch.ts'
import { lettersSince, newestLetter } from './dead-letters.ts'
import type { FaultSystem } from './fault-system.ts'
import { askOracle } from './oracle.ts'
import { RowWatch } from './row-watch.ts'
import type { Breaking, Recovery, Row, RowOptions } from './stage.ts'

export interface RowPlayOptions extends RowOptions {
  readonly system: FaultSystem
  readonly number: number
  readonly name: string
  /** The row's targets begin so; no other row's do. */
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

const recoverWithinMs = 60_000
/** It has no promise; this is for what never ends. */
const backlogWithinMs = 180_000
/** So many are clicked at the same time, and each so often before others take their place. */
const usualTargets = 8
const usualClicksPerTarget = 25

/**
 * One row of the table, from a system at rest to a system at rest.
 *
 * warming (clicks are accepted) → the fault is played → recovering (the backlog goes) → cooling (clicks are accepted) →
 * settling (the load has ended) → judged.
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

  /** For whoever watches: how many clicks were sent, accepted, and have come to their end. */
  get progress(): { sent: number; accepted: number; counted: number } {
    return {
      sent: this.#load?.sent ?? 0,
      accepted: this.#load?.accepted ?? 0,
      counted: this.#watch?.counted ?? 0,
    }
  }

  async play(fault: (breaking: Breaking) => Promise<void>): Promise<Row> {
    const { system, clicksAround, patienceMs = 60_000 } = this.#options
    const before = await readBalance(system.database)
    const lettersAfter = await newestLetter(system.pool)
    const counted = await countedClicks(system)
    const load = new ClickLoad(this.#loadOptions())
    const watch = new RowWatch(system.pool, load, lettersAfter)
    const answers = new AnswerWatch({
      doors: system.readDoors,
      log: this.#accepted,
      before: { atMs: Date.now(), counted, balance: before },
    })
    this.#load = load
    this.#watch = watch
    try {
      await until(() => load.accepted >= clicksAround, recoverWithinMs, 'clicks to be accepted before the fault')
      await this.#try(() => fault(this.#breaking(load, watch)))
      await this.#try(() => this.#recover(load, watch, clicksAround))
      await load.stop()
      const after = await settle(system, patienceMs)
      await Promise.all([watch.stop(), answers.stop()])
      return await this.#judge({ load, watch, answers, before, after, lettersAfter })
    } finally {
      await Promise.all([load.stop(), watch.stop(), answers.stop()])
    }
  }

  #loadOptions(): ClickLoadOptions {
    const { system, prefix, load } = this.#options
    return {
      doors: system.doors,
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
      recovered: (withinMs = recoverWithinMs) => recovered(watch, withinMs),
      expectDead: (clicks) => {
        this.#deadExpected += clicks
      },
    }
  }

  async #recover(load: ClickLoad, watch: RowWatch, clicks: number): Promise<void> {
    if (watch.isBroken) throw new Error('the scenario left it broken')
    if (watch.times > 0) {
      await recovered(watch, recoverWithinMs)
      await until(() => watch.isBacklogGone, backlogWithinMs, 'the backlog to be gone')
    }
    const accepted = load.accepted + clicks
    await until(() => load.accepted >= accepted, recoverWithinMs, 'clicks to be accepted after the fault')
  }

  /** What goes wrong is said in the row; the rest of it is played all the same. */
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
    const { lost, unexpected, ...verdict } = await askOracle(system.pool, sent, accepted, lettersAfter)
    const letters = await lettersSince(system.pool, lettersAfter)
    const told = played.answers.judge(letters.flatMap(({ clickIds }) => clickIds))
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
      told,
    }
    const problems = this.#problems
    if (this.#options.mayLieBecause === undefined) problems.push(...told.problems)
    if (row.lost > 0) problems.push(`${row.lost} clicks are lost, such as ${lost.slice(0, 3).join(', ')}`)
    if (row.unexpected > 0)
      problems.push(`${row.unexpected} were never sent, such as ${unexpected.slice(0, 3).join(', ')}`)
    if (row.overcounted > 0) problems.push(`the counters are off by ${row.overcounted}`)
    if (row.dead !== row.deadExpected) problems.push(`${row.dead} clicks are dead where ${row.deadExpected} should be`)
    if (row.inFlight !== 0) problems.push(`by the balance ${row.inFlight} are in flight, though all is at rest`)
    const counted = after.counted - before.counted
    if (counted !== row.counted) problems.push(`by the balance ${counted} were counted, not ${row.counted}`)
    for (const [answer, times] of Object.entries(answers)) {
      if (/^4/.test(answer) && answer !== '429') problems.push(`${times} requests were answered ${answer}`)
    }
    return { ...row, problems }
  }
}

async function recovered(watch: RowWatch, withinMs: number): Promise<Recovery> {
  await until(() => watch.recovery !== undefined, withinMs, 'clicks to be accepted and counted again')
  if (watch.recovery === undefined) throw new Error('it is broken again')
  return watch.recovery
}

/** Of all targets together, as the api sums them up. */
async function countedClicks({ pool }: FaultSystem): Promise<number> {
  const { rows } = await pool.query<{ counted: number }>(
    'select coalesce(sum(total + bots), 0) as counted from counters',
  )
  return rows[0]?.counted ?? Number.NaN
}
