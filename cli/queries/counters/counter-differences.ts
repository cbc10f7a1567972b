import type { BucketWidth } from '@clicktally/database/counter-buckets.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { sql, type Transaction } from 'kysely'
import type { Comparison } from './counter-comparisons.ts'

export interface CounterKey {
  readonly bucket: BucketWidth
  readonly projectId: number
  /** Empty for all targets together. */
  readonly target: string
  /** Start of the bucket, in UTC. */
  readonly start: Date
}

export interface CounterValues {
  readonly total: number
  readonly bots: number
  /** Hashes in the visitor sketch: the exact number of visitors up to 2,047. */
  readonly visitors: number
}

export interface CounterDifference extends CounterKey {
  /** Null if the counter does not exist. */
  readonly counter: CounterValues | null
  /** Recomputed from the raw clicks, or for derived counters from their sources. Null if there are none. */
  readonly clicks: CounterValues | null
}

/** Totals of a comparison. */
export interface Compared {
  readonly clicks: number
  readonly counters: number
}

interface Row {
  project_id: number | null
  target: string
  start: Date
  counter_total: number | null
  counter_bots: number
  counter_visitors: number
  click_total: number | null
  click_bots: number
  click_visitors: number
}

const rowsAtOnce = 500

/**
 * Compares counters with what they must be in the transaction's snapshot, and passes each difference to `onDifference`, ordered
 * by time. Holds at most some hundred differences in memory.
 *
 * @param slowAfterMs limit for the first result
 * @throws 57014 if it takes longer
 */
export async function counterDifferences(
  snapshot: Transaction<Tables>,
  { bucket, kept, truth }: Comparison,
  slowAfterMs: number,
  onDifference: (difference: CounterDifference) => void | Promise<void>,
): Promise<Compared> {
  await sql`set local statement_timeout = ${sql.lit(slowAfterMs)}`.execute(snapshot)
  await sql`
    declare difference no scroll cursor for
    with truth as materialized (${truth}
    ), counter as materialized (${kept}
    )
    select
      project_id, target, start,
      counter.total as counter_total, counter.bots as counter_bots, cardinality(counter.visitors) as counter_visitors,
      truth.total as click_total, truth.bots as click_bots, cardinality(truth.visitors) as click_visitors
    from counter full join truth using (project_id, target, start)
    where (counter.total, counter.bots, counter.visitors) is distinct from (truth.total, truth.bots, truth.visitors)
    union all
    -- What was compared, as the last row.
    select null, null, null, (select count(*) from counter), 0, 0, (select coalesce(sum(total + bots), 0) from truth), 0, 0
    order by start nulls last, project_id, target`.execute(snapshot)
  // The first rows arrive when everything is compared; fetching the rest needs no limit.
  let { rows } = await fetchRows(snapshot)
  await sql`set local statement_timeout = 0`.execute(snapshot)
  for (;;) {
    for (const row of rows) {
      if (row.project_id === null) {
        await sql`close difference`.execute(snapshot)
        return { clicks: row.click_total ?? 0, counters: row.counter_total ?? 0 }
      }
      await onDifference(differenceOf(bucket, row, row.project_id))
    }
    rows = (await fetchRows(snapshot)).rows
  }
}

async function fetchRows(snapshot: Transaction<Tables>): Promise<{ rows: Row[] }> {
  return await sql<Row>`fetch forward ${sql.lit(rowsAtOnce)} from difference`.execute(snapshot)
}

function differenceOf(bucket: BucketWidth, row: Row, projectId: number): CounterDifference {
  const figures = (total: number | null, bots: number, visitors: number) =>
    total === null ? null : { total, bots, visitors }
  return {
    bucket,
    projectId,
    target: row.target,
    start: row.start,
    counter: figures(row.counter_total, row.counter_bots, row.counter_visitors),
    clicks: figures(row.click_total, row.click_bots, row.click_visitors),
  }
}
