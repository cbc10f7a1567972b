import type { Generated, GeneratedAlways } from 'kysely'
import type { BucketWidth } from './counter-buckets.ts'

/** The tables as Kysely sees them; migrations/ makes them. */
export interface Tables {
  projects: ProjectsTable
  clicks: ClicksTable
  raw_clicks: RawClicksTable
  counters: CountersView
  counter_deltas: CounterDeltasTable
  minute_counters: RolledUp<'minute'>
  hour_counters: RolledUp<'hour'>
  day_counters: RolledUp<'day'>
  month_counters: RolledUp<'month'>
  rollup_horizon: RollupHorizonTable
  dead_letters: DeadLettersTable
  producers: ProducersTable
  messages: MessagesTable
  unsettled_messages: UnsettledMessagesTable
  ledger_totals: LedgerTotalsTable
  processor_progress: ProcessorProgressTable
}

export interface ProjectsTable {
  id: number
  name: string
}

/** Raw clicks, partitioned by day of the id's own time. */
export interface ClicksTable {
  id: string
  project_id: number
  target: string
  occurred_at: Date
  received_at: Date
  counted_at: Generated<Date>
  bot: boolean
  visitor_id: string | null
  url: string | null
  referrer: string | null
  props: unknown
}

/** One row: since when raw clicks are kept. -Infinity where none was ever dropped. */
export interface RawClicksTable {
  only_row: Generated<boolean>
  /** By the time in their ids. */
  kept_since: Generated<Date | number>
  /** By when they occurred: the counters of minutes from here on can be recomputed. */
  complete_since: Generated<Date | number>
}

/** What is counted of a target in a minute, folded or not: several rows together are one counter. None is of all targets. */
export interface CountersView {
  project_id: number
  target: string
  minute: Date
  /** Clicks by people. */
  total: number
  bots: number
  /** The smallest hashes of the visitors, sorted, 2,048 at most: see visitor_sketch_merge. */
  visitors: number[]
}

/** What was added to the counters and is not folded into them yet; also to those of all targets together, target ''. */
export interface CounterDeltasTable extends CountersView {
  /** Of a delta that PostgreSQL refuses to add to a counter: when that is tried again. Null in all others. */
  set_aside_until: Generated<Date | null>
}

/** One row for (project, bucket, target); buckets are in UTC, and target '' stands for all targets together. */
export type RolledUp<Width extends BucketWidth> = Record<Width, Date> &
  Omit<CountersView, 'minute'> & {
    /** The largest hash where the sketch is full, else null. */
    visitors_below: GeneratedAlways<number | null>
  }

/**
 * One row: each bucket that begins before these times is rolled up, and stays exact. They only ever move on. Of the bucket
 * that begins there, all is rolled up in the order (project, target) up to the project and target given.
 */
export interface RollupHorizonTable {
  only_row: Generated<boolean>
  hours_before: Date
  /** 0 where nothing of the bucket is rolled up. */
  hours_project: Generated<number>
  hours_target: Generated<string>
  days_before: Date
  days_project: Generated<number>
  days_target: Generated<string>
  months_before: Date
  months_project: Generated<number>
  months_target: Generated<string>
  /** Every delta committed before this moment is folded, or set aside. */
  folded_through: Generated<Date>
}

/** What can't be counted: clicks that the database refused, parts of messages that can't be read, whole messages. */
export interface DeadLettersTable {
  id: Generated<number>
  /** The message that it came with: see packages/contract/ledger-stamp.ts. */
  producer: string
  sequence: number
  reason: string
  detail: string
  died_at: Generated<Date>
  /** The AMQP type of the message, so that it can be replayed as it was. */
  type: string | null
  content: Buffer
  /** How many clicks these are. */
  clicks: number
  /** Their ids, as far as they can be made out. */
  click_ids: string[]
  request_id: string | null
  /** Null while it waits for a person; `counted` where its clicks came through all the same. */
  resolution: 'replayed' | 'discarded' | 'counted' | null
  resolved_at: Date | null
}

/** A connection of a publisher, with the sums of those of its messages that are in `folded`. */
export interface ProducersTable {
  producer: string
  previous: string | null
  previous_confirmed: number | null
  previous_unknown: number[]
  first_seen_at: Generated<Date>
  folded: string
  clicks: number
  counted: number
  duplicates: number
  settled: number
  confirmed: number
  /** Whether it is over and owes nothing: its sums are in ledger_totals too. */
  finished: Generated<boolean>
  last_heard_at: Generated<Date>
}

/** Messages that are in the sums of their producer, though no report has said whether they were confirmed. */
export interface UnsettledMessagesTable {
  producer: string
  sequence: number
  clicks: number
}

/** One row: the sums of all finished producers. */
export interface LedgerTotalsTable {
  only_row: Generated<boolean>
  clicks: Generated<number>
  counted: Generated<number>
  duplicates: Generated<number>
}

/** Messages that are accounted for. */
export interface MessagesTable {
  producer: string
  sequence: number
  clicks: number
  counted: number
  duplicates: number
  dead: number
  settled: number
  confirmed: number
  written_at: Generated<Date>
}

/** A row for each process that takes messages, and for each that is gone and whose messages are not yet accounted for. */
export interface ProcessorProgressTable {
  /** A UUID of its own for each process. */
  processor: string
  name: string
  /** A number where it is -infinity. */
  counted_through: Date | number
  reports: Generated<number>
  connections: string[]
  reported_at: Generated<Date>
}
