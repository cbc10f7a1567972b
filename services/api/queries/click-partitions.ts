import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/** Ids between two bounds, neither of which is the id of a click. */
export interface IdRange {
  readonly fromId: string
  readonly toId: string
}

/**
 * The partitions of the raw clicks, the oldest first. Queries read one after the other, because a query over all of them takes long
 * to plan.
 */
export async function clickPartitions(db: Kysely<Tables>): Promise<IdRange[]> {
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = 'clicks'::regclass`.execute(db)
  return rows.map(({ name }) => rangeOf(name)).sort((a, b) => (a.fromId < b.fromId ? -1 : 1))
}

/** The ids in a partition: `clicks_20261128` has a day, `clicks_202611` a month (create_click_partition). */
function rangeOf(name: string): IdRange {
  const [, year, month, day] = /^clicks_(\d{4})(\d\d)(\d\d)?$/.exec(name) ?? []
  if (year === undefined) throw new Error(`${name} is no partition of clicks`)
  const at = (months: number, days: number) =>
    firstId(Date.UTC(Number(year), Number(month) - 1 + months, Number(day ?? 1) + days))
  return { fromId: at(0, 0), toId: day === undefined ? at(1, 0) : at(0, 1) }
}

/** The bound below all ids of this time. */
function firstId(timeMs: number): string {
  const hex = timeMs.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}
