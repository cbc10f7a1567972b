import type { BucketWidth } from '@clicktally/database/counter-buckets.ts'
import { type RawBuilder, sql } from 'kysely'
import { countersFromClicks } from './counters-from-clicks.ts'
import { countedMinutes } from './minutes-of-range.ts'
import { summedBuckets } from './summed-buckets.ts'

/** Two queries for (project_id, target, start, total, bots, visitors) of whole buckets in a time range. */
export interface Comparison {
  readonly bucket: BucketWidth
  /** The counters. */
  readonly kept: RawBuilder<unknown>
  /** What they must be. */
  readonly truth: RawBuilder<unknown>
}

/**
 * Compares the minute counters of targets, including unfolded deltas, with the raw clicks; not those of minutes that have lost raw
 * clicks of their project.
 */
export function besideClicks(from: Date, to: Date): Comparison {
  return {
    bucket: 'minute',
    kept: sql`
      select
        project_id, target, minute as start,
        sum(total) as total, sum(bots) as bots, visitor_sketch_union(visitors) as visitors
      from (${countedMinutes({ from, to })}) as counter
      where target <> '' and ${isComplete('counter', 'minute')}
      group by 1, 2, 3`,
    truth: countersFromClicks(from, to, isComplete('clicks', 'occurred_at')),
  }
}

function isComplete(table: 'counter' | 'clicks', time: string): RawBuilder<unknown> {
  return sql`not exists (
    select from project_horizons as horizon
    where horizon.project_id = ${sql.ref(`${table}.project_id`)} and ${sql.ref(time)} < horizon.complete_since)`
}

/**
 * Compares derived counters with their sources: minutes of all targets together, including unfolded deltas, with those of the
 * targets; hours, days and months with the folded narrower buckets.
 */
export function besideThoseBelow(bucket: BucketWidth, from: Date, to: Date): Comparison {
  const start = sql.ref(bucket)
  return {
    bucket,
    kept:
      bucket === 'minute'
        ? sql`
          select
            project_id, target, minute as start,
            sum(total) as total, sum(bots) as bots, visitor_sketch_union(visitors) as visitors
          from (${countedMinutes({ from, to })}) as part
          where target = ''
          group by 1, 2, 3`
        : sql`
          select project_id, target, ${start} as start, total, bots, visitors from ${sql.table(`${bucket}_counters`)}
          where ${start} >= ${from} and ${start} < ${to}`,
    truth: summedBuckets(bucket, { from, to }),
  }
}
