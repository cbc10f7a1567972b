import { type RawBuilder, sql } from 'kysely'

/**
 * Computes the counters of these minutes from the raw clicks. The sketch of a counter consists of the smallest hashes of its
 * visitors, which equals the union of the sketches of its deltas.
 *
 * @param condition additional condition on the clicks
 */
export function countersFromClicks(
  from: Date,
  to: Date,
  condition: RawBuilder<unknown> = sql`true`,
): RawBuilder<unknown> {
  return sql`
    select
      project_id,
      target,
      minute as start,
      sum(total) as total,
      sum(bots) as bots,
      -- distinct sorts.
      visitor_sketch(array_agg(distinct visitor) filter (where visitor is not null)) as visitors
    from clicks cross join lateral click_count(project_id, occurred_at, bot, visitor_id)
    where occurred_at >= ${from} and occurred_at < ${to} and ${condition}
    group by 1, 2, 3`
}
