import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/**
 * Up to when everything accepted has been counted: what the slowest of the processors has reported. Null if none ever has.
 *
 * One that has fallen silent counts as long as it may hold messages: the broker takes them back when it has missed two
 * heartbeats, after 20 to 30 s, and one that is cut off from the database gives them back by then. While none reports, the lag
 * grows until one is back.
 */
export async function asOf(db: Kysely<Tables>): Promise<Date | null> {
  const { rows } = await sql<{ asOf: Date | null }>`
    select min(counted_through) as "asOf" from processor_progress
    where updated_at > (select max(updated_at) from processor_progress) - interval '40 seconds'`.execute(db)
  return rows[0]?.asOf ?? null
}
