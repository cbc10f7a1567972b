import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import { type Balance, readBalance } from './balance.ts'
import { asOfQuery } from './freshness.ts'
import type { Tables } from './tables.ts'

/** Whoever may read the ledger, twice. */
export interface LedgerReader {
  readonly pool: Pool
  readonly database: Kysely<Tables>
}

/**
 * Waits until everything that was sent up to now has come to its end: nothing is in flight by the balance, and every
 * processor has counted all that was accepted before this moment.
 *
 * Gives up when nothing has moved for `patienceMs`: what is missing then the balance shows.
 */
export async function settle({ database, pool }: LedgerReader, patienceMs: number): Promise<Balance> {
  // By this machine's clock, which is the processors' too.
  const sentUpTo = new Date()
  let moved = ''
  let movedAtMs = performance.now()
  for (;;) {
    try {
      const { rows } = await pool.query<{ as_of: Date | null }>(asOfQuery)
      const through = rows[0]?.as_of
      const isThrough = through !== null && through !== undefined && through > sentUpTo
      // Read after that: a balance from before may not know yet of the last clicks that were counted.
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
