import type { ColumnType, Generated } from 'kysely'

/** The tables as Kysely sees them; migrations/ makes them. */
export interface Tables {
  projects: ProjectsTable
  clicks: ClicksTable
  counters: CountersTable
  dead_clicks: DeadClicksTable
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

/** One row for (project, target, minute). */
export interface CountersTable {
  project_id: number
  target: string
  minute: Date
  /** Clicks by people. */
  total: ColumnType<number>
  bots: ColumnType<number>
  /** The smallest hashes of the visitors, see visitor_sketch_merge. */
  visitors: number[]
}

/** Clicks that can never be counted, for their receipts; the messages are in the queue clicks.dead. */
export interface DeadClicksTable {
  id: string
  project_id: number
  reason: string
  detail: string
  died_at: Generated<Date>
}

export interface ProcessorProgressTable {
  processor: string
  counted_through: Date
  updated_at: Date
}
