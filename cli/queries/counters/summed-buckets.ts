import type { BucketWidth } from '@clicktally/database/counter-buckets.ts'
import { type RawBuilder, sql } from 'kysely'
import { countedMinutes, foldedMinutes, type MinuteRange } from './minutes-of-range.ts'

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
 * @param range of the source rows
 * @param condition on them; their start is `below_start`
 */
export function summedBuckets(
  width: BucketWidth,
  range: MinuteRange,
  condition: RawBuilder<unknown> = sql`true`,
): RawBuilder<unknown> {
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
    from (${bucketsBelow(width, range)}) as below
    left join lateral unnest(visitors) with ordinality as visitor (hash, place) on true
    where ${kept} and ${condition}
    group by 1, 2, 3`
}

function bucketsBelow(width: BucketWidth, range: MinuteRange): RawBuilder<unknown> {
  const columns = sql`project_id, target, total, bots, visitors`
  const ofMinutes = (minutes: RawBuilder<unknown>, condition: RawBuilder<unknown>) =>
    sql`select ${columns}, minute as below_start from (${minutes}) as part where ${condition}`
  if (width === 'minute') return ofMinutes(countedMinutes(range), sql`target <> ''`)
  const below = madeOf[width]
  if (below === 'minute') return ofMinutes(foldedMinutes(range), sql`true`)
  const start = sql.ref(below)
  return sql`
    select ${columns}, ${start} as below_start from ${sql.table(`${below}_counters`)}
    where ${start} >= ${range.from} and ${start} < ${range.to}`
}

/** Selects the narrower buckets that were rolled up into the wide one; the folds add later clicks to it directly. */
function rolledUp(width: Exclude<BucketWidth, 'minute'>, start: RawBuilder<unknown>): RawBuilder<unknown> {
  const [before, project, target] = [`${width}s_before`, `${width}s_project`, `${width}s_target`].map((name) =>
    sql.ref(name),
  )
  return sql`(${start}, project_id, target) <= (select ${before}, ${project}, ${target} from rollup_horizon)`
}
