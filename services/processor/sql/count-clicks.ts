/**
 * The heart of the promise, in one statement: what is inserted is what is counted, and each message is in the ledger with
 * what became of its clicks. For batches of which something may be known already; others are copied (click-batch.ts), to
 * the same effect.
 *
 * Clicks come sorted by id, each id once, messages sorted by their key: so the locks of two processors never cross. What is
 * counted is only added (counter_deltas), for which nobody waits. No part joins what it has inserted: a cached plan knows
 * nothing of the arrays' lengths, and might choose to compare each with each.
 */
export const countClicks = `
with input as materialized (
  select *
  from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[], $5::bool[], $6::text[], $7::text[],
              $8::text[], $9::text[], $10::jsonb[], $11::int[])
    as click (id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props, message)
), inserted as (
  insert into clicks (id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props)
  select id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props from input
  on conflict (id, project_id) do nothing
  returning id, project_id, target, occurred_at, bot, visitor_id
), counted as (
  insert into counter_deltas (project_id, target, minute, total, bots, visitors)
  select
    project_id,
    -- All targets together.
    coalesce(target, ''),
    date_trunc('minute', occurred_at),
    count(*) filter (where not bot),
    count(*) filter (where bot),
    coalesce(
      -- distinct sorts.
      (array_agg(distinct visitor_hash(project_id, visitor_id)) filter (where visitor_id is not null and not bot))[1:2048],
      '{}')
  from inserted
  group by project_id, date_trunc('minute', occurred_at), grouping sets ((target), ())
), stored as (
  -- How many clicks of each message were new: those that stand on both sides.
  select message, count(*) as clicks
  from (
    select max(message) as message
    from (
      select id, project_id, message from input
      union all
      select id, project_id, null from inserted
    ) as side
    group by id, project_id
    having count(*) = 2
  ) as new_click
  group by message
), accounted as (
  insert into messages as known (producer, sequence, clicks, counted, duplicates, dead, settled, confirmed)
  select
    producer, sequence, message.clicks,
    message.counted + coalesce(stored.clicks, 0),
    message.duplicates + message.readable - coalesce(stored.clicks, 0),
    -- What was folded has come to its end: given up now, it is not dead.
    case when folded @> sequence then 0 else message.dead end,
    message.settled, message.confirmed
  from unnest($12::uuid[], $13::bigint[], $14::int[], $15::int[], $16::int[], $17::int[], $18::int[], $19::bigint[],
              $20::bigint[])
    with ordinality
    as message (producer, sequence, clicks, readable, counted, duplicates, dead, settled, confirmed, ordinal)
  left join stored on stored.message = message.ordinal
  left join producers using (producer)
  order by producer, sequence
  -- Delivered again: its clicks are duplicates of themselves, and nothing changes. But where it was thought dead as a whole,
  -- and a processor that had been cut off wrote it all the same, this is what became of it; and where some of its clicks
  -- were refused and now are not, they are dead no more.
  on conflict (producer, sequence) do update set
    counted = known.counted + excluded.counted,
    duplicates = case when known.dead = known.clicks then excluded.duplicates else known.duplicates end,
    dead = case when known.dead = known.clicks then excluded.dead else known.dead - excluded.counted end
    where excluded.counted > 0
  returning producer, sequence, known.dead, old.producer is null as is_new, old.dead = old.clicks as was_dead
), buried as (
  insert into dead_letters (producer, sequence, reason, detail, type, content, clicks, click_ids, request_id)
  select producer, sequence, reason, detail, type, content, letter.clicks, click_ids::uuid[], request_id
  from unnest($21::uuid[], $22::bigint[], $23::text[], $24::text[], $25::text[], $26::bytea[], $27::int[], $28::text[],
              $29::text[])
    as letter (producer, sequence, reason, detail, type, content, clicks, click_ids, request_id)
  join accounted using (producer, sequence)
  where (is_new or was_dead) and accounted.dead > 0
), revived as (
  update dead_letters set resolution = 'counted', resolved_at = clock_timestamp()
  from accounted
  where not is_new and resolution is null
    and dead_letters.producer = accounted.producer and dead_letters.sequence = accounted.sequence
    and (was_dead or click_ids <@ (select array_agg(id) from inserted))
)
select (select count(*) from inserted) as counted, (select count(*) from accounted) as messages`
