import type { BucketWidth } from '@clicktally/database/counter-buckets.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { sql, type Transaction } from 'kysely'

/** Returns the starts of the first and the last bucket of this width that have counters, within bounds; null if there are none. */
export async function keptBuckets(
  snapshot: Transaction<Tables>,
  width: BucketWidth,
  from: Date | undefined,
  to: Date | undefined,
): Promise<{ first: Date | null; last: Date | null }> {
  const start = sql.ref(width)
  const { rows } = await sql<{ first: Date | null; last: Date | null }>`
    select min(${start}) as first, max(${start}) as last from ${sql.table(`${width}_counters`)}
    where ${start} >= coalesce(${from ?? null}::timestamptz, '-infinity')
      and ${start} < coalesce(${to ?? null}::timestamptz, 'infinity')`.execute(snapshot)
  return rows[0] ?? { first: null, last: null }
}
