import { type RawBuilder, sql } from 'kysely'

/**
 * What the counters of these minutes must be, out of the raw clicks. The folds unite the sketches of deltas; here all
 * visitors are at hand, and their smallest hashes are the same sketch.
 *
 * @param condition more that the clicks must fulfil
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
      date_trunc('minute', occurred_at) as start,
      count(*) filter (where not bot) as total,
      count(*) filter (where bot) as bots,
      coalesce(
        -- distinct sorts.
        (array_agg(distinct visitor_hash(project_id, visitor_id)) filter (where visitor_id is not null and not bot))[1:2048],
        '{}') as visitors
    from clicks
    where occurred_at >= ${from} and occurred_at < ${to} and ${condition}
    group by 1, 2, 3`
}
