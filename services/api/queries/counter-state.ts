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

const columns = sql`(${sql.raw(asOfQuery)}) as as_of, hours_before, days_before, months_before`

/** Read it in the snapshot of the counts: another server may have counted or rolled up more. */
export async function counterState(db: Kysely<Tables>): Promise<CounterState> {
  const { rows } = await sql<Row>`select ${columns} from rollup_horizon`.execute(db)
  return stateOf(rows[0])
}

/** The same, and the names of the props that the project has declared as dimensions, in one statement. */
export async function questionState(
  db: Kysely<Tables>,
  projectId: number,
): Promise<CounterState & { readonly declaredProps: readonly string[] }> {
  const { rows } = await sql<Row & { declared_props: string[] | null }>`
    select ${columns}, (select dimensions from projects where id = ${projectId}) as declared_props
    from rollup_horizon`.execute(db)
  return { ...stateOf(rows[0]), declaredProps: rows[0]?.declared_props ?? [] }
}

function stateOf(row: Row | undefined): CounterState {
  if (row === undefined) throw new Error('the table rollup_horizon is empty')
  const { as_of, hours_before, days_before, months_before } = row
  return {
    asOf: as_of,
    rolledUpBefore: { month: months_before.getTime(), day: days_before.getTime(), hour: hours_before.getTime() },
  }
}
