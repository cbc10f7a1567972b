-- Rolls up one part of the next complete hour, day or month: at most max_rows rows of the narrower buckets, or fewer if their
-- sketches are long. Returns the number of rows read; 0 if there is nothing to do or another session holds the lock. Hours come
-- first because days are built from them.
--
-- The horizon advances in the same transaction. fold_deltas() therefore adds a later delta to the wide bucket exactly if its
-- target is already rolled up there. Queries read a wide bucket only when all of it is rolled up.
create or replace function roll_up_counters_at(moment timestamptz, max_rows int) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
  set work_mem = '64MB'
  set jit = off
  set enable_hashagg = off
  -- A part is a few short index ranges of a possibly large table, whatever its statistics say.
  set enable_seqscan = off
as $$
declare
  horizon rollup_horizon;
  -- A click is counted some seconds after it occurred.
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
revoke execute on function roll_up_counters_at(timestamptz, int) from public;
