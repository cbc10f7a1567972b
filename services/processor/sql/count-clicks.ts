/**
 * The heart of the promise: what is inserted is what is counted, in one statement.
 *
 * The arrays come sorted by id, and the counters are written in the order of their key, last, so that the locks of two
 * processors never cross and the hot rows are held for as short as can be.
 */
export const countClicks = `
with inserted as (
  insert into clicks (id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props)
  select *
  from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::bool[], $6::text[], $7::text[],
              $8::text[], $9::text[], $10::jsonb[])
  on conflict (id, project_id) do nothing
  returning project_id, target, occurred_at, bot, visitor_id
), counted as (
  insert into counters as counter (project_id, target, minute, total, bots, visitors)
  select
    project_id,
    target,
    date_trunc('minute', occurred_at),
    count(*) filter (where not bot),
    count(*) filter (where bot),
    visitor_sketch_merge(
      coalesce(array_agg(visitor_hash(project_id, visitor_id)) filter (where visitor_id is not null and not bot), '{}'),
      '{}')
  from inserted
  group by 1, 2, 3
  order by 1, 2, 3
  on conflict (project_id, target, minute) do update set
    total = counter.total + excluded.total,
    bots = counter.bots + excluded.bots,
    visitors = case
      when excluded.visitors <@ counter.visitors then counter.visitors
      else visitor_sketch_merge(counter.visitors, excluded.visitors)
    end
)
select count(*) as counted from inserted`
