import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import { type Balance, readBalance } from './balance.ts'
import type { Tables } from './tables.ts'

/** Whoever may read the ledger, twice. */
export interface LedgerReader {
  readonly pool: Pool
  readonly database: Kysely<Tables>
}

/**
 * Waits until everything that was sent up to now has come to its end: nothing is in flight by the balance, and every
 * processor that is alive has counted all that was accepted before this moment.
 *
 * Gives up when nothing has moved for `patienceMs`: what is missing then the balance shows.
 */
export async function settle({ database, pool }: LedgerReader, patienceMs: number): Promise<Balance> {
  // A processor counts up to a moment by the database's clock, which is this machine's too.
  const sentUpTo = new Date()
  let moved = ''
  let movedAtMs = performance.now()
  for (;;) {
    try {
      // One that has not reported for 5 s is gone, and its messages are with another.
      const { rows } = await pool.query<{ through: Date | null }>(
        `select min(counted_through) as through from processor_progress
         where updated_at > clock_timestamp() - interval '5 seconds'`,
      )
      const through = rows[0]?.through
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
