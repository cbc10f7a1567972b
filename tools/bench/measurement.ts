import type { FigureTable } from './report/figure-table.ts'
import type { Plot } from './report/plot.ts'
import type { Verdict } from './report/targets.ts'
import type { BenchSystem } from './system/bench-system.ts'

/** A measurement runs in rounds; in each round, every alternative gets a turn. */
export interface Measurement {
  /** Name for `--only`. */
  readonly name: string
  /** Shown with the progress, such as `accepting, single clicks`. */
  readonly title: string
  run(stage: Stage): Promise<Section>
}

/** What a measurement gets to work with. */
export interface Stage {
  /** Whether to run the short form: fewer rounds, fewer clicks, the same comparisons. */
  readonly short: boolean
  readonly rounds: number
  /** A folder for files of the measurement; removed at the end of the run. */
  readonly dir: string
  /** Aborted when the run is to end; stops whatever was started. */
  readonly signal: AbortSignal
  /** Shows the current step, and the completed share of the measurement, 0 to 1. */
  progress(what: string, share: number): void
  /** The whole system. Started on first use, then used by all measurements, one after the other. */
  system(): Promise<BenchSystem>
}

/** The results of a measurement: a section of the document. */
export interface Section {
  readonly title: string
  /** Paragraphs: what was measured and how. */
  readonly about: readonly string[]
  readonly tables: readonly FigureTable[]
  readonly verdicts: readonly Verdict[]
  /** Why figures are void, such as accepted clicks that were not counted. Empty if all is well. */
  readonly voided: readonly string[]
  /** The plot of the document. */
  readonly plot?: Plot
}
