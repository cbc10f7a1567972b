import type { OptionalTextName, StoredField } from '@clicktally/event/event-fields.ts'
import type { Generated, GeneratedAlways } from 'kysely'
import type { BucketWidth } from './counter-buckets.ts'
import type { KeysTables } from './keys-tables.ts'
import type { WebhookTables } from './webhook-tables.ts'

/** The tables, for Kysely. migrations/ creates them. */
export interface Tables extends KeysTables, WebhookTables {
  clicks: ClicksTable
  raw_clicks: RawClicksTable
  project_horizons: ProjectHorizonsTable
  counters: CountersView
  counter_deltas: CounterDeltasTable
  minute_counters: RolledUp<'minute'>
  packed_minutes: PackedMinutesView
  hour_counters: RolledUp<'hour'> & {
    /** Minutes that are packed: see packed_minutes. */
    minutes: number[] | null
  }
  day_counters: RolledUp<'day'>
  month_counters: RolledUp<'month'>
  rollup_horizon: RollupHorizonTable
  dimension_values: DimensionValuesTable
  click_columns: ClickColumnsTable
  stale_hours: StaleHoursTable
  dimension_sums: DimensionSumsTable
  stale_sums: StaleSumsTable
  dead_letters: DeadLettersTable
  producers: ProducersTable
  messages: MessagesTable
  unsettled_messages: UnsettledMessagesTable
  ledger_totals: LedgerTotalsTable
  processor_progress: ProcessorProgressTable
}

interface ColumnValues {
  uuid: string
  text: string
  timestamptz: Date
  boolean: boolean
  jsonb: unknown
}

/** Raw clicks, partitioned by day of the id's own time. Besides these it has a column for each field of an event. */
export interface ClicksTable extends FieldColumns {
  project_id: number
  received_at: Date
  counted_at: Generated<Date>
}

type FieldColumns = {
  [Field in StoredField as Field['column']]:
    | ColumnValues[Field['type']]
    | (Field['name'] extends OptionalTextName ? null : never)
}

/** One row: since when raw clicks are kept. -Infinity if none was ever dropped. */
export interface RawClicksTable {
  only_row: Generated<boolean>
  /** By the time in the id. */
  kept_since: Generated<Date | number>
  /** By occurrence: the counters of later minutes can be recomputed. */
  complete_since: Generated<Date | number>
}

/** The same for a project that does not keep its raw clicks for ever. */
export interface ProjectHorizonsTable {
  project_id: number
  kept_since: Date
  complete_since: Generated<Date | number>
}

/** Counters of targets by minute, folded or not. Several rows together are one counter. There are no rows for all targets. */
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

/**
 * Minutes that pack_minutes() has moved from `minute_counters` to their hour in `hour_counters`. The counter of a minute is the sum of
 * its rows in both. To read a range of minutes, restrict `hour` as well: it is in the index.
 */
export interface PackedMinutesView extends CountersView {
  hour: Date
}

/** Additions to the counters that are not folded yet, including those of all targets together (target ''). */
export interface CounterDeltasTable extends CountersView {
  /** If PostgreSQL refuses to add the delta to a counter: when that is retried. Otherwise null. */
  set_aside_until: Generated<Date | null>
}

/** One row for each (project, bucket, target). Buckets are in UTC. Target '' stands for all targets together. */
export type RolledUp<Width extends BucketWidth> = Record<Width, Date> &
  Omit<CountersView, 'minute'> & {
    /** The largest hash if the sketch is full, else null. */
    visitors_below: GeneratedAlways<number | null>
  }

/**
 * One row: each bucket that begins before these times is rolled up, and stays exact. The times only advance. The bucket that begins
 * at such a time is rolled up in the order (project, target), up to the project and target in the row.
 */
export interface RollupHorizonTable {
  only_row: Generated<boolean>
  hours_before: Date
  /** 0 if nothing of the bucket is rolled up. */
  hours_project: Generated<number>
  hours_target: Generated<string>
  days_before: Date
  days_project: Generated<number>
  days_target: Generated<string>
  months_before: Date
  months_project: Generated<number>
  months_target: Generated<string>
  /** Every delta committed before this time is folded or set aside. */
  folded_through: Generated<Date>
  /** No minutes are packed before this time. */
  packs_minutes_from: Generated<Date>
}

/** The ids that stand for values in `click_columns`. */
export interface DimensionValuesTable {
  project_id: number
  dimension: string
  id: number
  value: string
}

/** Clicks of an hour by dimension, at most 65,536 in a part. Valid if the hour is not in `stale_hours` and has no delta. */
export interface ClickColumnsTable {
  project_id: number
  hour: Date
  part: number
  dimension: string
  /** See packages/columns/column.ts. */
  data: Buffer
}

/** Hours of which `click_columns` lacks clicks. */
export interface StaleHoursTable {
  project_id: number
  hour: Date
  folds: Generated<number>
  stale_since: Generated<Date>
}

/** Clicks of a day or month in UTC by the ids of a dimension. Valid if it is not in `stale_sums` and its hours are valid. */
export interface DimensionSumsTable {
  project_id: number
  dimension: string
  width: 'day' | 'month'
  start: Date
  /** See packages/columns/sums.ts. */
  data: Buffer
}

/** Days and months with columns that are not in `dimension_sums`. */
export interface StaleSumsTable {
  project_id: number
  width: 'day' | 'month'
  start: Date
}

/** What cannot be counted: clicks that the database refused, unreadable parts of messages, whole messages. */
export interface DeadLettersTable {
  id: Generated<number>
  /** Its message: see packages/message/ledger-stamp.ts. */
  producer: string
  sequence: number
  reason: string
  detail: string
  died_at: Generated<Date>
  /** The AMQP type of the message, so that it can be replayed as it was. */
  type: string | null
  content: Buffer
  /** Number of clicks. */
  clicks: number
  /** Their ids, as far as they can be recognised. */
  click_ids: string[]
  /** The project of each of them, in the same order; 0 where it is unknown. */
  click_projects: Generated<number[]>
  request_id: string | null
  /** Null while it waits for a person; `counted` if its clicks were counted after all. */
  resolution: 'replayed' | 'discarded' | 'counted' | null
  resolved_at: Date | null
}

/** A connection of a publisher, with sums over its messages in `folded`. */
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
  /** Whether it is closed and nothing more is expected from it. Its sums are then also in ledger_totals. */
  finished: Generated<boolean>
  last_heard_at: Generated<Date>
}

/** Messages in the sums of their producer for which no report has said whether they were confirmed. */
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

/** Messages whose clicks are all accounted for. */
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

/** A row for each process that consumes messages, and for each process that is gone while its messages are not accounted for. */
export interface ProcessorProgressTable {
  /** A UUID, unique for each process. */
  processor: string
  name: string
  /** Of the queue that the process consumes (decision 0048). Empty: that of the centre. */
  region: Generated<string>
  /** A number if it is -infinity. */
  counted_through: Date | number
  reports: Generated<number>
  connections: string[]
  reported_at: Generated<Date>
}
