-- Adds the first deltas of the table, at most so many, to the counters of their minutes, and to those of the hours, days and
-- months of which the target is rolled up already: clicks may be late. Returns how many deltas it took.
--
-- Only for who holds the lock of rollup_horizon. Whoever reads finds each click once, in one statement: in the deltas, or in
-- all the buckets that it belongs to.
create function fold_deltas(at_most int) returns bigint
  language plpgsql
  set search_path = pg_catalog, public
  set timezone = 'UTC'
  set work_mem = '64MB'
  set jit = off
  -- Sorted groups leave the order that counters are to be added in; and deltas have to be read from the first on.
  set enable_hashagg = off
  set synchronize_seqscans = off
as $$
declare
  horizon rollup_horizon;
  taken bigint;
begin
  select * into strict horizon from rollup_horizon;
  -- No part is joined with another: the planner does not know how long they are, and might compare each with each.
  with due as materialized (
    -- All up to the first that is too many, as they lie.
    delete from counter_deltas
    where ctid < coalesce(
        (select ctid from counter_deltas
         where set_aside_until is null or set_aside_until < clock_timestamp()
         offset at_most limit 1),
        '(4294967295,0)')
      and (set_aside_until is null or set_aside_until < clock_timestamp())
    returning project_id, minute, target, total, bots, visitors
  ),
  -- The sketch of a delta that is alone in its group, as most are, is taken as it is.
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
    -- Not in a condition, so that it is looked up in a table in memory.
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
  -- Where a minute has no counter yet, nothing can be in the way, and that costs half. They come in the order of the index.
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
  )
  select count(*) into taken from due;
  return taken;
end $$;

-- Moves the deltas that are committed into the counters, at most 50,000 a call. One call at a time: another one returns at
-- once, with nothing folded.
--
-- What PostgreSQL refuses to add stops nobody: with ever fewer deltas, until the refused one is alone, it is found out which
-- one it is, and that one is set aside for an hour. Only errors that come from the data itself are taken for that.
create function fold_counter_deltas(out folded bigint, out set_aside bigint, out refusal text)
  language plpgsql
  security definer
  set search_path = pg_catalog, public
  -- The delta that is set aside is the first, as it is for fold_deltas.
  set synchronize_seqscans = off
as $$
declare
  began_at timestamptz := clock_timestamp();
  at_most int := 50000;
begin
  folded := 0;
  set_aside := 0;
  perform from rollup_horizon for update skip locked;
  if not found then return; end if;
  loop
    begin
      folded := fold_deltas(at_most);
      exit;
    exception when data_exception or integrity_constraint_violation or program_limit_exceeded then
      refusal := sqlerrm;
      if at_most > 1 then
        at_most := greatest(1, at_most / 10);
      else
        update counter_deltas set set_aside_until = clock_timestamp() + interval '1 hour'
        where ctid = (
          select ctid from counter_deltas
          where set_aside_until is null or set_aside_until < clock_timestamp() limit 1);
        set_aside := 1;
        exit;
      end if;
    end;
  end loop;
  if folded < at_most and set_aside = 0 then update rollup_horizon set folded_through = began_at; end if;
end $$;

drop function fold_counters();
drop function fold_counters_at(timestamptz);
create function fold_counters() returns bigint
  language sql
  security definer
  set search_path = pg_catalog, public
  return (select folded from fold_counter_deltas());
