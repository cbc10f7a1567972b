import type { ClickLoad, ClickLoadOptions } from '@clicktally/load/click-load.ts'
import type { AnswerVerdict } from './answer-watch.ts'
import type { FaultSystem } from './fault-system.ts'
import type { SystemUnderTest } from './system-under-test.ts'

/** A group of related faults: a file in scenarios/. */
export interface Scenario<System extends SystemUnderTest = FaultSystem> {
  readonly number: number
  /** The fault, in a few words. */
  readonly title: string
  run(stage: Stage<System>): Promise<void>
}

/** What a scenario uses to inject faults and to report results. */
export interface Stage<System extends SystemUnderTest = FaultSystem> {
  readonly system: System
  /** Whether to run the short form: seconds instead of minutes, 3 kills instead of 50. */
  readonly short: boolean
  /**
   * Runs one row of the table. The load runs before, during and after `fault`. Then it is stopped, and after the system has
   * settled, the oracle checks the ids of this row. Rows run one after the other.
   *
   * @param name the fault, at most 40 characters
   * @returns undefined if the row is not among those that were chosen
   */
  row(name: string, fault: (breaking: Breaking) => Promise<void>, options?: RowOptions): Promise<Row | undefined>
  /** Adds a note below the table. */
  note(text: string): void
  /**
   * Records a measured time and its limit, in milliseconds; undefined if it is only reported. The report shows the longest time
   * and the number of measurements for each name.
   */
  promise(name: string, limitMs: number | undefined, measuredMs: number): void
  /** Reads the balance and shows it below the table. */
  recordBalance(moment: string): Promise<void>
  /** Sets the text of the status line; a few words. */
  setStatus(text: string): void
}

export interface RowOptions {
  /** Options that differ from the default load. */
  readonly load?: Partial<ClickLoadOptions>
  /** Clicks to be accepted before the fault, and again after it. Default: 300, in the short form 80. */
  readonly clicksAround?: number
  /**
   * Why answers of the api may be wrong in this row, because of a documented limit; a clause. Wrong answers are counted and shown, but
   * the row does not fail.
   */
  readonly mayBeWrongBecause?: string
}

export interface Breaking {
  /** Call it when the fault starts; once for each repetition. */
  broken(): void
  /** Call it when the fault ends: recovery times are measured from here. */
  restored(): void
  /**
   * Resolves when every ingest accepts clicks again, and clicks are counted again, after the last `restored`.
   *
   * @throws if that does not happen within the patience of a test (tools/testing/patience.ts)
   */
  recovered(): Promise<Recovery>
  readonly load: ClickLoad
  /** Expects this number of the row's clicks in the dead letters; several calls add up. */
  expectDead(clicks: number): void
}

/** Times in milliseconds since the last `restored`. */
export interface Recovery {
  /** Until every ingest had accepted a click sent since then; 0 if none stopped accepting. */
  readonly acceptedAgainMs: number
  /** Until a click was counted. */
  readonly countedAgainMs: number
  /** From `broken` to `restored`. */
  readonly brokenForMs: number
}

/** The result of a row. Numbers of clicks, unless the name says otherwise. */
export interface Row {
  /** The number of its scenario. */
  readonly number: number
  readonly name: string
  /** Repetitions of the fault. */
  readonly times: number
  /** From `broken` to `restored`, all repetitions together. */
  readonly brokenForMs: number
  /** Ids that were sent at least once. */
  readonly sent: number
  /** Ids that were answered with 202: A. */
  readonly accepted: number
  /** Ids that are stored: E. */
  readonly counted: number
  /** Skipped because their id was already stored, according to the balance. */
  readonly duplicates: number
  /** In the dead letters, according to the balance. */
  readonly dead: number
  readonly deadExpected: number
  /** |A \ (E ∪ D)| */
  readonly lost: number
  /** |ids in E ∪ D that were never sent| */
  readonly unexpected: number
  /** The sum over the targets of the absolute difference between R and |E|. */
  readonly overcounted: number
  /** |E \ A|: stored, but the client received no 202. */
  readonly recovered: number
  /** In flight after the system has settled, according to the balance; must be 0. */
  readonly inFlight: number
  /** The longest of all repetitions until every ingest accepted again; undefined if none stopped accepting. */
  readonly acceptedAgainMs: number | undefined
  /** The longest of all repetitions until every click accepted more than a second ago was counted. */
  readonly backlogGoneMs: number | undefined
  /** Number of answers by status, and of connection errors by code. */
  readonly answers: Readonly<Record<string, number>>
  /** The slowest answer of an ingest, or the client's timeout. */
  readonly slowestAnswerMs: number
  /** Answers of the api during the row, checked against the clicks accepted before each `asOf`. */
  readonly apiAnswers: AnswerVerdict
  /** One clause for each problem of the row; empty if every check passed. */
  readonly problems: readonly string[]
}
