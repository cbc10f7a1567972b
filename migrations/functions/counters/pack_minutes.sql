-- Moves at most max_rows rows of minute_counters into hour_counters.minutes (see migrations/schema/0027-packed-minutes.sql), all of one
-- hour that is rolled up and whose clicks are packed as columns, so that few late clicks still come. Returns the number of rows; 0 if
-- there is nothing to do or another session holds the lock.
--
-- A reader finds each minute exactly once in a single statement: in a row of its own, in its hour, or a part of it in each.
create or replace function pack_minutes(max_rows int default 6000) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
  set work_mem = '64MB'
  set jit = off
  set enable_hashagg = off
  -- A part is a few short index ranges of possibly large tables, whatever their statistics say.
  set enable_seqscan = off
as $$
declare
  horizon rollup_horizon;
  of_project int;
  of_hour timestamptz;
  starts timestamptz[];
  last_target text;
  per_minute int := greatest(1, max_rows / 60);
  moved_rows bigint;
begin
  select * into horizon from rollup_horizon for update skip locked;
  if not found or horizon.packs_minutes_from > clock_timestamp() then return 0; end if;

  -- A skip scan: each hour of a project has its own range of the index.
  with recursive loose (project_id, hour) as (
    (select project_id, date_trunc('hour', minute) from minute_counters order by project_id, minute limit 1)
    union all
    select following.*
    from loose cross join lateral (
      select project_id, date_trunc('hour', minute) from minute_counters
      where (project_id, minute) >= (loose.project_id, loose.hour + interval '1 hour')
      order by project_id, minute limit 1
    ) as following
  )
  select project_id, hour into of_project, of_hour from loose
  where hour < horizon.hours_before
    and not exists (select from stale_hours as mark where mark.project_id = loose.project_id and mark.hour = loose.hour)
  limit 1;
  if not found then return 0; end if;

  starts := array(select generate_series(of_hour, of_hour + interval '59 minutes', interval '1 minute'));
  -- The last target of this part: each minute is read up to its share of the rows, and if one has more, the part ends at its last target.
  with candidate as materialized (
    select start, counter.target
    from unnest(starts) as start
    cross join lateral (
      select target from minute_counters where project_id = of_project and minute = start order by target limit per_minute
    ) as counter
  )
  select coalesce(
    (select min(run.last_target)
      from (select max(target) as last_target from candidate group by start having count(*) = per_minute) as run),
    (select max(target) from candidate)) into last_target;

  with moved as (
    delete from minute_counters
    where project_id = of_project and minute = any (starts) and target <= last_target
    returning minute, target, total, bots, visitors
  ), whole as (
    select target, minute, sum(total)::int as total, sum(bots)::int as bots, visitor_sketch_union(visitors) as visitors
    from (
      select target, minute, total, bots, visitors from moved
      union all
      select target, minute, total, bots, visitors from packed_minutes
      where project_id = of_project and hour = of_hour and target in (select target from moved)
    ) as part
    group by target, minute
  ), placed as (
    select target, minute, total, bots, visitors,
      sum(cardinality(visitors)) over (partition by target order by minute)::int - cardinality(visitors) as hashes_before
    from whole
  ), packed as (
    select target, array[count(*)::int
        + case when max(total) > 255 or min(total) < 0 then 64 else 0 end
        + case when max(bots) <> 0 or min(bots) <> 0 then 128 else 0 end]
      || array_agg(date_part('minute', minute)::int + (hashes_before << 6) + (least(greatest(total, 0), 255) << 23) order by minute)
      || case when max(total) > 255 or min(total) < 0 then array_agg(total order by minute) end
      || case when max(bots) <> 0 or min(bots) <> 0 then array_agg(bots order by minute) end
      || concatenated(visitors order by minute) as minutes
    from placed group by target
  ), stored as (
    -- The hour has a row, unless that was lost. Then its sums remain so: `clicktally verify` finds it.
    insert into hour_counters as counter (project_id, hour, target, total, bots, visitors, minutes)
    select of_project, of_hour, target, 0, 0, '{}', minutes from packed
    order by target
    on conflict (project_id, hour, target) do update set minutes = excluded.minutes
  )
  select count(*) into moved_rows from moved;
  return moved_rows;
end $$;
revoke execute on function pack_minutes(int) from public;
grant execute on function pack_minutes(int) to clicktally_processor;
