import type { Tables } from '@clicktally/database/tables.ts'
import { sql, type Transaction } from 'kysely'

/** Returns since when raw clicks are kept; undefined if none were ever dropped. */
export interface RawClicksHorizon {
  /** By the time in their ids. */
  readonly keptSince: Date
  /** By `occurred_at`: counters of earlier minutes cannot be recomputed. */
  readonly completeSince: Date
}

export async function rawClicksHorizon(snapshot: Transaction<Tables>): Promise<RawClicksHorizon | undefined> {
  const { rows } = await sql<RawClicksHorizon>`
    select kept_since as "keptSince", complete_since as "completeSince" from raw_clicks
    where isfinite(complete_since)`.execute(snapshot)
  return rows[0]
}
