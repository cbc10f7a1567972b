import type { ClickLoad, ClickLoadOptions } from '@clicktally/e2e/click-load.ts'
import type { AnswerVerdict } from './answer-watch.ts'
import type { FaultSystem } from './fault-system.ts'

/** A fault of the design's table, made for real: a file in scenarios/. */
export interface Scenario {
  readonly number: number
  /** What is broken, in a few words. */
  readonly title: string
  run(stage: Stage): Promise<void>
}

/** What a scenario is played on. */
export interface Stage {
  readonly system: FaultSystem
  /** The short form: seconds instead of minutes, 3 kills instead of 50. */
  readonly short: boolean
  /**
   * One row of the table. The load runs before, during and after `fault`; then it is stopped, everything settles, and
   * the oracle is asked about the ids of this row. Rows are played one after the other, each on a system at rest.
   *
   * @param name what was broken, at most 40 characters
   */
  row(name: string, fault: (breaking: Breaking) => Promise<void>, options?: RowOptions): Promise<Row>
  /** A remark under the table. */
  note(text: string): void
  /**
   * A time that was promised, in milliseconds, or that is only to be reported (no limit). The worst of all that is
   * measured under one name is shown, and so is how many there were.
   */
  promise(name: string, limitMs: number | undefined, measuredMs: number): void
  /** Reads the balance, to be shown under the table. */
  recordBalance(moment: string): Promise<void>
  /** What goes on, for whoever watches; a short clause. */
  say(text: string): void
}

export interface RowOptions {
  /** How the load differs from the usual one. */
  readonly load?: Partial<ClickLoadOptions>
  /** Clicks that are accepted before the fault, and once more after it. Default 300, in the short form 80. */
  readonly clicksAround?: number
  /** How long the row may take to settle without anything moving, in milliseconds. Default 60,000. */
  readonly patienceMs?: number
  /**
   * Why answers of the api may claim too much while this row is played, where a documented limit says so; a clause. They are counted
   * and shown all the same, but the row does not fail by them.
   */
  readonly mayLieBecause?: string
}

export interface Breaking {
  /** To be called at the moment in which it breaks; once for each repetition. */
  broken(): void
  /** To be called when the cause is gone: times count from here. */
  restored(): void
  /**
   * Resolves when every door accepts again and clicks are counted again that were accepted since the last `restored`.
   *
   * @throws when that takes longer than `withinMs`, 60,000 by default.
   */
  recovered(withinMs?: number): Promise<Recovery>
  readonly load: ClickLoad
  /** So many clicks of this row are to end in the dead letters; called several times, they add up. */
  expectDead(clicks: number): void
}

/** Times in milliseconds since the last `restored`. */
export interface Recovery {
  /** Until every door had accepted a click that was sent since; 0 where it never stopped accepting. */
  readonly acceptedAgainMs: number
  /** Until a click was counted. */
  readonly countedAgainMs: number
  /** From `broken` to `restored`. */
  readonly brokenForMs: number
}

/** What came of a fault. Clicks, unless the name says otherwise. */
export interface Row {
  /** Of its scenario. */
  readonly number: number
  readonly name: string
  /** How often it was broken. */
  readonly times: number
  /** From `broken` to `restored`, all repetitions together. */
  readonly brokenForMs: number
  /** Ids that were sent at least once. */
  readonly sent: number
  /** Ids that were answered 202: A. */
  readonly accepted: number
  /** Ids that are stored: E. */
  readonly counted: number
  /** Skipped because their id was there already, by the balance. */
  readonly duplicates: number
  /** In the dead letters, by the balance. */
  readonly dead: number
  readonly deadExpected: number
  /** |A \ (E ∪ D)| */
  readonly lost: number
  /** |E ∪ D that was never sent| */
  readonly unexpected: number
  /** Sum of the counters less |E|: the absolute differences of the targets, added up. */
  readonly overcounted: number
  /** Stored though their 202 never arrived. */
  readonly recovered: number
  /** What the balance says is still in flight when all is at rest; must be 0. */
  readonly inFlight: number
  /** The longest of all repetitions until every door accepted again; undefined where it never stopped accepting. */
  readonly acceptedAgainMs: number | undefined
  /** The longest of all repetitions until all that was accepted more than a second ago was counted. */
  readonly backlogGoneMs: number | undefined
  /** By status, and errors of the connection by code. */
  readonly answers: Readonly<Record<string, number>>
  /** The slowest answer of an ingest, or the client's own limit where none came in time. */
  readonly slowestAnswerMs: number
  /** What the api said all the while, held against what had been answered 202 before the time that each answer named. */
  readonly told: AnswerVerdict
  /** What is wrong with the row, a clause each; empty when the promise held. */
  readonly problems: readonly string[]
}
