import { type Kysely, sql } from 'kysely'
import { asOfQuery } from './freshness.ts'
import type { Tables } from './tables.ts'

/** Up to when the ledger knows what was accepted. */
export interface KnownThrough {
  /** Everything accepted before this time is in the balance. Null if no processor has ever reported. */
  readonly knownThrough: Date | null
  /** Its age in milliseconds, by the database's clock. Null if `knownThrough` is null. */
  readonly knownAgeMs: number | null
}

/**
 * | status  | meaning                                                                                                |
 * |---------|--------------------------------------------------------------------------------------------------------|
 * | current | every number is right, except for the clicks of the last seconds                                       |
 * | stale   | clicks accepted since `knownThrough` are unknown: "0 in flight" does not mean that none is in flight   |
 * | unknown | no processor has ever reported: none has run, or the first one has not yet observed the queues         |
 */
export type BalanceStatus = 'current' | 'stale' | 'unknown'

/** Processors report four times a second. This is far more, and still too short to mislead a person. */
const currentWithinMs = 10_000

/**
 * Read it before the balance, or in the same snapshot, so that the balance covers at least that time.
 *
 * The data of the ledger travels with the messages. So the ledger does not know of clicks in a queue without a leader, behind a
 * backlog, or while no processor runs.
 */
export async function readKnownThrough(db: Kysely<Tables>): Promise<KnownThrough> {
  const { rows } = await sql<KnownThrough>`
    select as_of as "knownThrough",
      -- Not greatest(), which would turn an unknown age into 0.
      floor(extract(epoch from clock_timestamp() - as_of) * 1000)::float8 as "knownAgeMs"
    from (${sql.raw(asOfQuery)}) as freshness`.execute(db)
  return rows[0] ?? { knownThrough: null, knownAgeMs: null }
}

export function balanceStatus({ knownAgeMs }: Pick<KnownThrough, 'knownAgeMs'>): BalanceStatus {
  if (knownAgeMs === null) return 'unknown'
  return knownAgeMs <= currentWithinMs ? 'current' : 'stale'
}
