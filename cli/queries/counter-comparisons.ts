import type { BucketWidth } from '@clicktally/database/counter-buckets.ts'
import { type RawBuilder, sql } from 'kysely'
import { countersFromClicks } from './counters-from-clicks.ts'
import { summedBuckets } from './summed-buckets.ts'

/** Two sides of (project_id, target, start, total, bots, visitors), of whole buckets of a range of time. */
export interface Comparison {
  readonly bucket: BucketWidth
  /** What the counters say. */
  readonly kept: RawBuilder<unknown>
  /** What they must say. */
  readonly truth: RawBuilder<unknown>
}

/** The counters of targets by the minute, folded or not, beside the raw clicks. */
export function besideClicks(from: Date, to: Date): Comparison {
  return {
    bucket: 'minute',
    kept: sql`
      select
        project_id, target, minute as start,
        sum(total) as total, sum(bots) as bots, visitor_sketch_union(visitors) as visitors
      from counters
      where minute >= ${from} and minute < ${to}
      group by 1, 2, 3`,
    truth: countersFromClicks(from, to),
  }
}

/**
 * Counters that are made of others beside those: minutes of all targets together, folded or not, beside those of the targets;
 * hours, days and months beside what was folded of the narrower ones.
 */
export function besideThoseBelow(bucket: BucketWidth, from: Date, to: Date): Comparison {
  const start = sql.ref(bucket)
  const ofRange = sql`${start} >= ${from} and ${start} < ${to}`
  return {
    bucket,
    kept:
      bucket === 'minute'
        ? sql`
          select
            project_id, target, minute as start,
            sum(total) as total, sum(bots) as bots, visitor_sketch_union(visitors) as visitors
          from (
            select project_id, target, minute, total, bots, visitors from minute_counters where target = '' and ${ofRange}
            union all
            select project_id, target, minute, total, bots, visitors from counter_deltas where target = '' and ${ofRange}
          ) as part
          group by 1, 2, 3`
        : sql`
          select project_id, target, ${start} as start, total, bots, visitors from ${sql.table(`${bucket}_counters`)}
          where ${ofRange}`,
    truth: summedBuckets(bucket, sql`below_start >= ${from} and below_start < ${to}`),
  }
}
