import type { Interval } from '@clicktally/contract/read-operations.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import type { CountsFilter } from '../counts-filter.ts'
import { countersWhere } from './counters-where.ts'

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
  interval: Interval,
  tz: string,
): Promise<{ start: Date; total: number; bots: number }[]> {
  const grid = { minute: '1 minute', hour: '15 minutes', day: '6 hours' }[interval]
  const { rows } = await sql<{ start: Date; total: number; bots: number }>`
    with starts as (
      select distinct date_trunc(${interval}, instant, ${tz}) as start
      from (
        select generate_series(${new Date(filter.fromMs)}::timestamptz, ${new Date(filter.toMs - 1)}::timestamptz, ${grid}::interval)
        union all select ${new Date(filter.toMs - 1)}::timestamptz
      ) as grid (instant)
    ), sums as (
      select date_trunc(${interval}, minute, ${tz}) as start, sum(total) as total, sum(bots) as bots
      from counters
      where ${countersWhere(filter)}
      group by 1
    )
    select start, coalesce(total, 0) as total, coalesce(bots, 0) as bots
    from starts left join sums using (start)
    order by start`.execute(db)
  return rows
}
