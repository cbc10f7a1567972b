import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { type FoldBacklog, readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import { type KnownThrough, readKnownThrough } from '@clicktally/database/known-through.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

export interface LedgerState extends Balance, KnownThrough {
  /** The sum of all counters, as the api returns it. */
  readonly counters: number
  readonly folding: FoldBacklog
}

/** Reads the balance and the sum of the counters in the same snapshot. */
export async function readLedgerState(db: Kysely<Tables>): Promise<LedgerState> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (snapshot) => {
      const known = await readKnownThrough(snapshot)
      const balance = await readBalance(snapshot)
      const { counters } = await snapshot
        .selectFrom('counters')
        .select(sql<number>`coalesce(sum(total + bots), 0)`.as('counters'))
        .executeTakeFirstOrThrow()
      return { ...balance, ...known, counters, folding: await readFoldBacklog(snapshot) }
    })
}
