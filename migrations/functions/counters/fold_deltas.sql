-- Adds up to at_most deltas, in physical order, to the counters of their minutes. Clicks may arrive late, so it also adds them
-- to the counters of those hours, days and months whose target is already rolled up, and marks their hours as stale for packing.
-- Returns the number of deltas folded.
--
-- The caller must hold the lock on the row of rollup_horizon. A reader finds each click exactly once in a single statement:
-- either in counter_deltas, or in every bucket the click belongs to.
create or replace function fold_deltas(at_most int) returns bigint
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
  set work_mem = '64MB'
  set jit = off
  -- Sorted groups arrive in the order in which counters must be locked. Scans must start at the first delta.
  set enable_hashagg = off
  set synchronize_seqscans = off
as $$
declare
  horizon rollup_horizon;
  folded bigint;
begin
  select * into strict horizon from rollup_horizon;
  -- No joins between these parts: the planner does not know their sizes and might choose a nested loop.
  with due as materialized (
    -- Everything before the first delta in excess, in physical order.
    delete from counter_deltas
    where ctid < coalesce(
        (select ctid from counter_deltas
         where set_aside_until is null or set_aside_until < clock_timestamp()
         offset at_most limit 1),
        '(4294967295,0)')
      and (set_aside_until is null or set_aside_until < clock_timestamp())
    returning project_id, minute, target, total, bots, visitors
  ),
  -- Most groups have a single delta, whose sketch is used as it is.
  summed_minutes as materialized (
    select project_id, minute, target, total, bots,
      case when parts = 1 then visitors
        else array(select distinct hash from unnest(visitors) as hash order by hash limit 2048) end as visitors
    from (
      select project_id, minute, target, sum(total) as total, sum(bots) as bots,
        count(*) as parts, visitor_hashes(visitors) as visitors
      from due group by project_id, minute, target
    ) as summed
  ),
  begun as materialized (
    select project_id, minute
    from (select distinct project_id, minute from summed_minutes) as given
    where (
      select true from minute_counters as counter
      where counter.project_id = given.project_id and counter.minute = given.minute
      limit 1)
  ),
  minutes as materialized (
    -- In the select list rather than in a condition, so that PostgreSQL uses a hashed subplan.
    select *, (project_id, minute) in (select project_id, minute from begun) as is_begun from summed_minutes
  ),
  late_hours as materialized (
    select project_id, hour, target, total, bots,
      case when parts = 1 then visitors
        else array(select distinct hash from unnest(visitors) as hash order by hash limit 2048) end as visitors
    from (
      select project_id, date_trunc('hour', minute) as hour, target, sum(total) as total, sum(bots) as bots,
        count(*) as parts, visitor_hashes(visitors) as visitors
      from minutes
      where (date_trunc('hour', minute), project_id, target)
        <= (horizon.hours_before, horizon.hours_project, horizon.hours_target)
      group by 1, 2, 3
    ) as summed
  ),
  late_days as materialized (
    select project_id, day, target, total, bots,
      case when parts = 1 then visitors
        else array(select distinct hash from unnest(visitors) as hash order by hash limit 2048) end as visitors
    from (
      select project_id, date_trunc('day', hour) as day, target, sum(total) as total, sum(bots) as bots,
        count(*) as parts, visitor_hashes(visitors) as visitors
      from late_hours
      where (date_trunc('day', hour), project_id, target)
        <= (horizon.days_before, horizon.days_project, horizon.days_target)
      group by 1, 2, 3
    ) as summed
  ),
  late_months as materialized (
    select project_id, month, target, total, bots,
      case when parts = 1 then visitors
        else array(select distinct hash from unnest(visitors) as hash order by hash limit 2048) end as visitors
    from (
      select project_id, date_trunc('month', day) as month, target, sum(total) as total, sum(bots) as bots,
        count(*) as parts, visitor_hashes(visitors) as visitors
      from late_days
      where (date_trunc('month', day), project_id, target)
        <= (horizon.months_before, horizon.months_project, horizon.months_target)
      group by 1, 2, 3
    ) as summed
  ),
  -- A minute without counters cannot conflict, and a plain insert costs half. The rows are in index order.
  minutes_added as (
    insert into minute_counters (project_id, minute, target, total, bots, visitors)
    select project_id, minute, target, total, bots, visitors from minutes where not is_begun
  ),
  minutes_raised as (
    insert into minute_counters as counter (project_id, minute, target, total, bots, visitors)
    select project_id, minute, target, total, bots, visitors from minutes where is_begun
    order by project_id, minute, target
    on conflict (project_id, minute, target) do update set
      total = counter.total + excluded.total,
      bots = counter.bots + excluded.bots,
      visitors = visitor_sketch_add(counter.visitors, counter.visitors_below, excluded.visitors)
  ),
  hours_raised as (
    insert into hour_counters as counter (project_id, hour, target, total, bots, visitors)
    select project_id, hour, target, total, bots, visitors from late_hours
    order by project_id, hour, target
    on conflict (project_id, hour, target) do update set
      total = counter.total + excluded.total,
      bots = counter.bots + excluded.bots,
      visitors = visitor_sketch_add(counter.visitors, counter.visitors_below, excluded.visitors)
  ),
  days_raised as (
    insert into day_counters as counter (project_id, day, target, total, bots, visitors)
    select project_id, day, target, total, bots, visitors from late_days
    order by project_id, day, target
    on conflict (project_id, day, target) do update set
      total = counter.total + excluded.total,
      bots = counter.bots + excluded.bots,
      visitors = visitor_sketch_add(counter.visitors, counter.visitors_below, excluded.visitors)
  ),
  months_raised as (
    insert into month_counters as counter (project_id, month, target, total, bots, visitors)
    select project_id, month, target, total, bots, visitors from late_months
    order by project_id, month, target
    on conflict (project_id, month, target) do update set
      total = counter.total + excluded.total,
      bots = counter.bots + excluded.bots,
      visitors = visitor_sketch_add(counter.visitors, counter.visitors_below, excluded.visitors)
  ),
  -- The columns of these hours, if there are any, lack the clicks of these deltas.
  hours_marked as (
    insert into stale_hours as mark (project_id, hour)
    select project_id, hour from (select distinct project_id, date_trunc('hour', minute) as hour from summed_minutes) as given
    order by project_id, hour
    on conflict (project_id, hour) do update set folds = mark.folds + 1
  )
  select count(*) into folded from due;
  return folded;
end $$;
revoke execute on function fold_deltas(int) from public;
