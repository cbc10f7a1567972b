import type { BucketWidth } from '@clicktally/database/counter-buckets.ts'
import { type RawBuilder, sql } from 'kysely'

/** The source of each width: minutes of all targets together are derived from those of the targets, the others from narrower ones. */
export const madeOf = { hour: 'minute', day: 'hour', month: 'day' } as const satisfies Record<
  Exclude<BucketWidth, 'minute'>,
  BucketWidth
>

/**
 * Computes derived counters from their sources: (project_id, start, target, total, bots, visitors). Minutes are those of all
 * targets together, and include unfolded deltas, because a fold may have processed only some targets. Wider buckets exist only
 * before the roll-up horizon; of the bucket that is being rolled up, only the finished targets.
 *
 * @param condition on the source rows, whose start is `below_start`
 */
export function summedBuckets(width: BucketWidth, condition: RawBuilder<unknown>): RawBuilder<unknown> {
  const below = width === 'minute' ? 'minute' : madeOf[width]
  const table = sql.table(width === 'minute' ? 'counters' : `${below}_counters`)
  const start = width === 'minute' ? sql`below_start` : sql`date_trunc(${sql.lit(width)}, below_start, 'UTC')`
  const kept = width === 'minute' ? sql`true` : rolledUp(width, start)
  return sql`
    select
      project_id,
      ${start} as start,
      ${width === 'minute' ? sql`''` : sql`target`} as target,
      sum(total) filter (where place = 1 or place is null) as total,
      sum(bots) filter (where place = 1 or place is null) as bots,
      -- distinct sorts.
      coalesce((array_agg(distinct hash) filter (where hash is not null))[1:2048], '{}') as visitors
    from (
      select project_id, ${sql.ref(below)} as below_start, target, total, bots, visitors from ${table}
    ) as below
    left join lateral unnest(visitors) with ordinality as visitor (hash, place) on true
    where ${kept} and ${condition}
    group by 1, 2, 3`
}

/** Selects the narrower buckets that were rolled up into the wide one; the folds add later clicks to it directly. */
function rolledUp(width: Exclude<BucketWidth, 'minute'>, start: RawBuilder<unknown>): RawBuilder<unknown> {
  const [before, project, target] = [`${width}s_before`, `${width}s_project`, `${width}s_target`].map((name) =>
    sql.ref(name),
  )
  return sql`(${start}, project_id, target) <= (select ${before}, ${project}, ${target} from rollup_horizon)`
}
