import { type Kysely, sql } from 'kysely'
import { asOfQuery } from './freshness.ts'
import type { Tables } from './tables.ts'

/** Up to when the ledger can know what was accepted. */
export interface KnownThrough {
  /** Everything accepted before this is in the balance. Null while no processor has ever said. */
  readonly knownThrough: Date | null
  /** Milliseconds from then to now, by the database's clock; null with it. */
  readonly knownAgeMs: number | null
}

/**
 * | status  | what the balance is worth                                                                              |
 * |---------|--------------------------------------------------------------------------------------------------------|
 * | current | every figure holds, but for the clicks of the last seconds                                             |
 * | stale   | of what was accepted since `knownThrough` nothing is known: "0 in flight" does not mean that none is   |
 * | unknown | no processor has ever said: none has run, or the first one has not yet seen the queues                 |
 */
export type BalanceStatus = 'current' | 'stale' | 'unknown'

/** Processors report four times a second. This is far more, and too short for a person to be misled. */
const currentWithinMs = 10_000

/**
 * To be read before the balance, or in the same snapshot: what the balance knows then is at least that.
 *
 * The ledger travels with the messages, so it learns nothing while they do not come through: neither of clicks in a queue
 * without a leader, nor behind a backlog, nor while no processor runs.
 */
export async function readKnownThrough(db: Kysely<Tables>): Promise<KnownThrough> {
  const { rows } = await sql<KnownThrough>`
    select as_of as "knownThrough",
      -- Not greatest(), which takes an unknown age for 0.
      floor(extract(epoch from clock_timestamp() - as_of) * 1000)::float8 as "knownAgeMs"
    from (${sql.raw(asOfQuery)}) as freshness`.execute(db)
  return rows[0] ?? { knownThrough: null, knownAgeMs: null }
}

export function balanceStatus({ knownAgeMs }: Pick<KnownThrough, 'knownAgeMs'>): BalanceStatus {
  if (knownAgeMs === null) return 'unknown'
  return knownAgeMs <= currentWithinMs ? 'current' : 'stale'
}
