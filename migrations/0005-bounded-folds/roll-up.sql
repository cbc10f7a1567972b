-- Rolls up a part of the first bucket that is over, from the position (bucket, project, target), and moves the position
-- behind it. Buckets without clicks are skipped. rows_read is 0 where nothing before `up_to` is left.
--
-- `narrow` and `wide` are widths such as 'hour' and 'day': the names of the tables and of their columns follow from them.
-- One statement can't serve three pairs of tables otherwise.
create function roll_up_part(
  narrow text, wide text, up_to timestamptz, max_rows int,
  inout bucket timestamptz, inout project int, inout target text, out rows_read bigint
)
  language plpgsql
  set search_path = pg_catalog, public
as $$
declare
  narrow_table text := narrow || '_counters';
  wide_table text := wide || '_counters';
  narrow_step interval := '1 ' || narrow;
  wide_step interval := '1 ' || wide;
  starts timestamptz[];
  -- Targets of the project up to this one are done; null where none is.
  done_target text := target;
begin
  rows_read := 0;
  while bucket < up_to loop
    starts := array(select generate_series(bucket, bucket + wide_step - narrow_step, narrow_step));

    -- How far a part may go: each narrower bucket is read for its share of the rows, and where one of them has more, the
    -- others are not complete beyond there. 160 bytes of a sketch take about as long as a row; one target is always taken.
    execute format($sql$
      with candidate as materialized (
        select start, counter.target, counter.weight
        from unnest($1) as start
        cross join lateral (
          select target, 1 + pg_column_size(visitors) / 160 as weight
          from %1$I
          where project_id = $2 and %2$I = start and ($3 is null or target > $3)
          order by target limit $4
        ) as counter
      ), reach as (
        select min(last_target) as target
        from (select max(target) as last_target from candidate group by start having count(*) = $4) as run
      ), reached as (
        select target, sum(row_count) over in_order as row_count, sum(weight) over in_order as weight
        from (select target, count(*) as row_count, sum(weight) as weight from candidate group by target) as each
        where target <= coalesce((select reach.target from reach), target)
        window in_order as (order by target)
      )
      select coalesce(max(target) filter (where weight <= $5), min(target)),
        coalesce(max(row_count) filter (where weight <= $5), min(row_count), 0)
      from reached $sql$, narrow_table, narrow)
    into target, rows_read
    using starts, project, done_target, greatest(1, max_rows / cardinality(starts)), max_rows;

    if rows_read > 0 then
      -- Nothing else writes these rows before they are done, but what somebody has put there by hand gives way.
      execute format($sql$
        insert into %3$I as counter (project_id, %4$I, target, total, bots, visitors)
        select $2, $5, target, total, bots,
          case when parts = 1 then visitors
            else array(select distinct hash from unnest(visitors) as hash order by hash limit 2048) end
        from (
          select target, sum(total) as total, sum(bots) as bots,
            count(*) as parts, visitor_hashes(visitors) as visitors
          from %1$I
          where project_id = $2 and %2$I = any($1) and ($3 is null or target > $3) and target <= $4
          group by target
        ) as summed
        order by target
        on conflict (project_id, %4$I, target) do update
          set total = excluded.total, bots = excluded.bots, visitors = excluded.visitors
        $sql$, narrow_table, narrow, wide_table, wide)
      using starts, project, done_target, target, bucket;
      return;
    end if;

    -- The project is done. Each has its own place in the index.
    execute format($sql$
      with recursive other (id) as (
        select min(project_id) from %1$I where project_id > $1
        union all
        select (select min(project_id) from %1$I where project_id > other.id) from other where id is not null
      )
      select id from other
      where exists (select from %1$I where project_id = other.id and %2$I >= $2 and %2$I < $3)
      limit 1 $sql$, narrow_table, narrow)
    into project
    using project, bucket, bucket + wide_step;
    done_target := null;
    continue when project is not null;

    -- The bucket is done. Where there is nothing for a long time, not step by step.
    execute format($sql$
      with recursive other (id) as (
        select min(project_id) from %1$I
        union all
        select (select min(project_id) from %1$I where project_id > other.id) from other where id is not null
      )
      select coalesce(date_trunc($1, min(next.start)), $3)
      from other cross join lateral (
        select %2$I as start from %1$I
        where project_id = other.id and %2$I >= $2 and %2$I < $3
        order by %2$I limit 1
      ) as next $sql$, narrow_table, narrow)
    into bucket
    using wide, bucket + wide_step, up_to;
    project := 0;
    target := '';
  end loop;
end $$;

-- Rolls up one part of the next hour, day or month that is over: at most so many rows of the narrower buckets, or sketches
-- that take about as long. Returns how many rows it has read; 0 where nothing is to be done, or where somebody else holds
-- the lock. Hours first, since days are made of them.
--
-- The horizon moves in the same transaction. So each delta that comes later is added to the wide bucket by the fold exactly
-- where its target is done (fold_deltas). Questions read a wide bucket only when all of it is rolled up.
create function roll_up_counters_at(moment timestamptz, max_rows int) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public
  set timezone = 'UTC'
  set work_mem = '64MB'
  set jit = off
  set enable_hashagg = off
  -- A part is a few short runs in the index of a table that may be large, whatever its statistics say.
  set enable_seqscan = off
as $$
declare
  horizon rollup_horizon;
  -- Clicks of now are counted some seconds later.
  hours_over timestamptz := date_trunc('hour', moment - interval '5 minutes');
  rows_read bigint;
begin
  select * into horizon from rollup_horizon for update skip locked;
  if not found then return 0; end if;

  select * into horizon.hours_before, horizon.hours_project, horizon.hours_target, rows_read
  from roll_up_part('minute', 'hour', hours_over, max_rows,
    horizon.hours_before, horizon.hours_project, horizon.hours_target);

  if rows_read = 0 then
    select * into horizon.days_before, horizon.days_project, horizon.days_target, rows_read
    from roll_up_part('hour', 'day', date_trunc('day', horizon.hours_before), max_rows,
      horizon.days_before, horizon.days_project, horizon.days_target);
  end if;

  if rows_read = 0 then
    select * into horizon.months_before, horizon.months_project, horizon.months_target, rows_read
    from roll_up_part('day', 'month', date_trunc('month', horizon.days_before), max_rows,
      horizon.months_before, horizon.months_project, horizon.months_target);
  end if;

  update rollup_horizon set
    hours_before = horizon.hours_before, hours_project = horizon.hours_project, hours_target = horizon.hours_target,
    days_before = horizon.days_before, days_project = horizon.days_project, days_target = horizon.days_target,
    months_before = horizon.months_before, months_project = horizon.months_project, months_target = horizon.months_target
  where rollup_horizon is distinct from horizon;
  return rows_read;
end $$;

-- A part of 20,000 rows takes some tenths of a second, for which the folds wait at most.
create function roll_up_counters() returns bigint
  language sql
  security definer
  set search_path = pg_catalog, public
  return roll_up_counters_at(clock_timestamp(), 20000);
