import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'

/** Up to when buckets are rolled up, in milliseconds since 1970: each that begins before these times is exact. */
export interface RolledUpBefore {
  readonly month: number
  readonly day: number
  readonly hour: number
}

/** Of the server that is asked: another one may be ahead, and have rolled up what this one has not. */
export async function rollupHorizon(db: Kysely<Tables>): Promise<RolledUpBefore> {
  const row = await db
    .selectFrom('rollup_horizon')
    .select(['hours_before', 'days_before', 'months_before'])
    .executeTakeFirstOrThrow()
  return {
    month: row.months_before.getTime(),
    day: row.days_before.getTime(),
    hour: row.hours_before.getTime(),
  }
}
