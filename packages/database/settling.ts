import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import { type Balance, readBalance } from './balance.ts'
import { asOfQuery } from './freshness.ts'
import type { Tables } from './tables.ts'

/** A connection that may read the ledger, as a pool and for typed queries. */
export interface LedgerReader {
  readonly pool: Pool
  readonly database: Kysely<Tables>
}

/**
 * Waits until everything sent so far is accounted for: the balance has nothing in flight, and every processor has counted all that
 * was accepted before the call.
 *
 * Gives up if nothing has changed for `patienceMs`. The returned balance shows what is missing.
 */
export async function settle({ database, pool }: LedgerReader, patienceMs: number): Promise<Balance> {
  // By this machine's clock, which the processors also use.
  const sentUpTo = new Date()
  let moved = ''
  let movedAtMs = performance.now()
  for (;;) {
    try {
      const { rows } = await pool.query<{ as_of: Date | null }>(asOfQuery)
      const through = rows[0]?.as_of
      const isThrough = through !== null && through !== undefined && through > sentUpTo
      // Read afterwards: an earlier balance may not include the last clicks that were counted.
      const balance = await readBalance(database)
      if (balance.inFlight === 0 && isThrough) return balance
      const now = JSON.stringify([balance, isThrough])
      if (now !== moved) movedAtMs = performance.now()
      moved = now
      if (performance.now() - movedAtMs > patienceMs) return balance
    } catch (error) {
      if (performance.now() - movedAtMs > patienceMs) throw error
    }
    await sleep(100)
  }
}
