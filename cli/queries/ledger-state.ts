import { type Balance, readBalance } from '@clicktally/database/balance.ts'
import { type FoldBacklog, readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import { type KnownThrough, readKnownThrough } from '@clicktally/database/known-through.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql, type Transaction } from 'kysely'

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
      const counters = await sumOfCounters(snapshot)
      return { ...balance, ...known, counters, folding: await readFoldBacklog(snapshot) }
    })
}

/** Reads the hours that are rolled up, the minutes after them, and the deltas. */
async function sumOfCounters(snapshot: Transaction<Tables>): Promise<number> {
  const { rows } = await sql<{ counters: number }>`
    select coalesce(sum(clicks), 0)::bigint as counters
    from (
      select sum(total::bigint + bots) as clicks from hour_counters
      where target <> '' and hour < (select hours_before from rollup_horizon)
      union all
      select sum(total::bigint + bots) from minute_counters
      where target <> '' and minute >= (select hours_before from rollup_horizon)
      union all
      select sum(total::bigint + bots) from counter_deltas where target <> ''
    ) as part`.execute(snapshot)
  return rows[0]?.counters ?? 0
}
