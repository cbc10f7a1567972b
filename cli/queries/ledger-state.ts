import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { type FoldBacklog, readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

export interface LedgerState extends Balance {
  /** The sum of all counters: what the api tells. */
  readonly counters: number
  readonly folding: FoldBacklog
}

/** The balance and the counters of one and the same moment. */
export async function readLedgerState(db: Kysely<Tables>): Promise<LedgerState> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (snapshot) => {
      const balance = await readBalance(snapshot)
      const { counters } = await snapshot
        .selectFrom('counters')
        .select(sql<number>`coalesce(sum(total + bots), 0)`.as('counters'))
        .executeTakeFirstOrThrow()
      return { ...balance, counters, folding: await readFoldBacklog(snapshot) }
    })
}
