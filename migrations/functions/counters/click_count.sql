-- What a click adds to the counter of its target in its minute: one to `total` and its visitor, or for bots one to `bots`.
-- The counters of all targets together ('') are the sums of these. services/processor/store/counter-deltas.ts states the same for
-- clicks that are written with COPY.
-- The planner inlines it: it costs what its expressions cost.
create or replace function click_count(project_id int, occurred_at timestamptz, bot boolean, visitor_id text)
  returns table (minute timestamptz, total int, bots int, visitor int)
  language sql immutable parallel safe
as $$
  select
    date_bin('1 minute', occurred_at, 'epoch'),
    (not bot)::int,
    bot::int,
    case when not bot and visitor_id is not null then visitor_hash(project_id, visitor_id) end
$$;
