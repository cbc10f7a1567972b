import { asOfQuery } from '@clicktally/database/freshness.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/** Buckets that begin before these times are rolled up and exact. Milliseconds since 1970. */
export interface RolledUpBefore {
  readonly month: number
  readonly day: number
  readonly hour: number
}

export interface CounterState {
  /** Up to when everything accepted has been counted. Null if no processor has ever reported. */
  readonly asOf: Date | null
  readonly rolledUpBefore: RolledUpBefore
}

interface Row {
  as_of: Date | null
  hours_before: Date
  days_before: Date
  months_before: Date
}

/** Read it in the snapshot of the counts: another server may have counted or rolled up more. */
export async function counterState(db: Kysely<Tables>): Promise<CounterState> {
  const { rows } = await sql<Row>`
    select (${sql.raw(asOfQuery)}) as as_of, hours_before, days_before, months_before from rollup_horizon`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('the table rollup_horizon is empty')
  const { as_of, hours_before, days_before, months_before } = row
  return {
    asOf: as_of,
    rolledUpBefore: { month: months_before.getTime(), day: days_before.getTime(), hour: hours_before.getTime() },
  }
}
