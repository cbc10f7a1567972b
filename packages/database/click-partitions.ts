import { type Kysely, sql } from 'kysely'
import { type IdRange, partitionIds } from './partition-ids.ts'
import type { Tables } from './tables.ts'

/**
 * The partitions of the raw clicks, the oldest first. Queries read one after the other, because a query over all of them takes long
 * to plan.
 */
export async function clickPartitions(db: Kysely<Tables>): Promise<IdRange[]> {
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = 'clicks'::regclass`.execute(db)
  return rows.map(({ name }) => partitionIds(name)).sort((a, b) => (a.fromId < b.fromId ? -1 : 1))
}
