import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/**
 * Up to when everything accepted has been counted: what the slowest of the processors that are alive has reported. If none
 * is alive, the newest that any has reported, so that the lag grows until one is back. Null if none has ever reported.
 */
export async function asOf(db: Kysely<Tables>): Promise<Date | null> {
  // Processors report four times a second; one that has not for 5 s is gone, and its messages are with another.
  const { rows } = await sql<{ asOf: Date | null }>`
    select coalesce(
      min(counted_through) filter (where updated_at > clock_timestamp() - interval '5 seconds'),
      max(counted_through)) as "asOf"
    from processor_progress`.execute(db)
  return rows[0]?.asOf ?? null
}
