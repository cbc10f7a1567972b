import type { Interval } from '@clicktally/contract/read-operations.ts'
import type { BucketWidth } from '@clicktally/database/counter-buckets.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { bucketPieces } from '../bucket-pieces.ts'
import type { CountsFilter } from '../counts-filter.ts'
import { countedRows } from './counted-rows.ts'
import type { RolledUpBefore } from './rollup-horizon.ts'

export interface SeriesFilter extends CountsFilter {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * The buckets that the range touches, empty ones included, each with its start.
 *
 * PostgreSQL cuts the buckets in the time zone, so days have 23 or 25 hours where they have. The list of starts is made by
 * cutting a finer grid with the same function: a step of "one hour" would miss the buckets of a zone that shifts by 30
 * minutes. A range that begins inside a bucket shows of it what is in the range.
 */
export async function series(
  db: Kysely<Tables>,
  filter: SeriesFilter,
  rolledUpBefore: RolledUpBefore,
  interval: Interval,
  tz: string,
): Promise<{ start: Date; total: number; bots: number }[]> {
  const pieces = bucketPieces(filter, rolledUpBefore, await widestBucket(db, filter, interval, tz))
  const grid = { minute: '1 minute', hour: '15 minutes', day: '6 hours' }[interval]
  const { rows } = await sql<{ start: Date; total: number; bots: number }>`
    with starts as (
      select distinct date_trunc(${interval}, instant, ${tz}) as start
      from (
        select generate_series(${new Date(filter.fromMs)}::timestamptz, ${new Date(filter.toMs - 1)}::timestamptz, ${grid}::interval)
        union all select ${new Date(filter.toMs - 1)}::timestamptz
      ) as grid (instant)
    ), sums as (
      select date_trunc(${interval}, row.start, ${tz}) as start, sum(total) as total, sum(bots) as bots
      from (${countedRows(filter, pieces, true)}) as row
      group by 1
    )
    select start, coalesce(total, 0) as total, coalesce(bots, 0) as bots
    from starts left join sums using (start)
    order by start`.execute(db)
  return rows
}

/** The widest buckets of which each lies in one bucket of the series: an hour in UTC may be in two hours of India. */
async function widestBucket(
  db: Kysely<Tables>,
  { fromMs, toMs }: SeriesFilter,
  interval: Interval,
  tz: string,
): Promise<BucketWidth> {
  if (interval === 'minute') return 'minute'
  if (tz === 'UTC') return interval
  // Asked of PostgreSQL, which cuts the buckets too: not everybody knows the same time zones.
  const { rows } = await sql<{ whole_hours: boolean | null }>`
    select bool_and(date_trunc('hour', instant, ${tz}) = instant) as whole_hours
    from (
      select generate_series(date_trunc('hour', ${new Date(fromMs)}::timestamptz, 'UTC'), ${new Date(toMs)}::timestamptz, '6 hours')
      union all select date_trunc('hour', ${new Date(toMs - 1)}::timestamptz, 'UTC')
    ) as grid (instant)`.execute(db)
  return rows[0]?.whole_hours === true ? 'hour' : 'minute'
}
