import type { Plot } from './plot.ts'
import type { TargetName } from './targets.ts'

/** Something that is measured, in rounds: in each, whatever is compared gets its turn. */
export interface Measurement {
  /** As `--only` names it. */
  readonly name: string
  /** Says what is done, for the progress line: `accepting, one click a request`. */
  readonly title: string
  run(stage: Stage): Promise<Section>
}

/** What a measurement is given. */
export interface Stage {
  /** The form that takes minutes: fewer rounds, fewer clicks, the same comparisons. */
  readonly short: boolean
  /** How often everything that is compared gets its turn. */
  readonly rounds: number
  /** A folder for what it writes; removed in the end. */
  readonly dir: string
  /** Aborted when the run is to end; whatever was started is stopped then. */
  readonly signal: AbortSignal
  /** Shows what is going on, and how far it is (0 to 1), in place of what was shown before. */
  progress(what: string, share: number): void
  /** The whole system, started when it is first asked for and shared by the measurements, one after the other. */
  system(): Promise<BenchSystem>
}

/** A running Clicktally: real servers, all on this machine, with one ingest, one api, and as many processors as asked for. */
export interface BenchSystem {
  /** nginx. */
  readonly baseUrl: string
  /** Past nginx. */
  readonly ingestUrl: string
  readonly apiUrl: string
  /** For the broker's operator, and for the owner of the database. */
  readonly amqpUrl: string
  readonly managementUrl: string
  readonly postgresUrl: string
  /** Where the secrets of the services are, as `local/` lays them. */
  readonly secretsDir: string
  /** The processes of a part, with those that they started: `ingest`, `processor`, `api`, `nginx`, `rabbitmq`, `postgres`. */
  processesOf(part: SystemPart): readonly number[]
  /** Resolves when so many processors run and are ready; with 0, when none does. */
  setProcessors(count: number): Promise<void>
  /** Messages that wait for a processor; where none runs, all that are not counted. */
  queued(): Promise<number>
  /** Resolves when the queue is empty and all that was accepted is counted. @throws when that takes too long */
  untilCounted(): Promise<void>
  /** Clicks stored, and the sum of the counters: equal, if the promise holds. */
  counted(): Promise<{ stored: number; counted: number }>
}

export type SystemPart = 'ingest' | 'processor' | 'api' | 'nginx' | 'rabbitmq' | 'postgres'

/** What a measurement found: a part of the document, and of the JSON beside it. */
export interface Section {
  readonly title: string
  /** Paragraphs: what was done, how, with what; what holds a figure back. */
  readonly about: readonly string[]
  readonly tables: readonly FigureTable[]
  /** What became of the targets that this measurement is about. */
  readonly verdicts: readonly Verdict[]
  /** Why figures of this section count for nothing: accepted and counted were not the same. Empty if all is well. */
  readonly voided: readonly string[]
  /** For the document's one plot. */
  readonly plot?: Plot
}

export interface FigureTable {
  readonly caption?: string
  /** Of what the rows are: `what`, `connections`. */
  readonly of: string
  readonly columns: readonly { readonly name: string; readonly unit: string }[]
  readonly rows: readonly FigureRow[]
}

export interface FigureRow {
  readonly name: string
  /** A column's figures, one for each round; shown as the median and the spread. Undefined: does not apply. */
  readonly cells: readonly (readonly number[] | undefined)[]
  /** Shown in the table in place of the figures. */
  readonly voided?: string
}

export interface Verdict {
  readonly target: TargetName
  /** One for each round: what the target is about, a ratio of figures of the same round, or a figure. */
  readonly samples: readonly number[]
  /** What holds it by the figures of this very run; told where it misses, in place of the target's `heldBy`. */
  readonly note?: string
}
