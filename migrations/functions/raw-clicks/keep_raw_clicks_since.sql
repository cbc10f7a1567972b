-- Moves the horizon to the start of this day in UTC, or of its month if that month is a single partition. From then on the
-- partitions before it refuse inserts and may be dropped. Returns kept_since.
--
-- Waits for transactions that are writing to those partitions, and scans them to find the latest time at which a click occurred.
create or replace function keep_raw_clicks_since(day date) returns timestamptz
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
as $$
declare
  horizon raw_clicks;
  before timestamptz;
  partition record;
  last_click timestamptz;
begin
  -- create_click_partition() takes the same lock.
  select * into strict horizon from raw_clicks for update;
  if to_regclass('public.clicks_' || to_char(day, 'YYYYMM')) is not null then day := date_trunc('month', day); end if;
  before := horizon.kept_since;
  horizon.kept_since := greatest(horizon.kept_since, day::timestamptz);
  horizon.complete_since := greatest(horizon.complete_since, horizon.kept_since);
  for partition in
    select name from (
      select inhrelid::regclass::text as name from pg_inherits where inhparent = 'clicks'::regclass
    ) as child
    where click_partition_end(name) > before and click_partition_end(name) <= horizon.kept_since
    order by name
  loop
    -- It may have one, because of a project's horizon.
    execute format(
      'create or replace trigger before_horizon before insert on %I for each row execute function refuse_click()', partition.name);
    execute format('select max(occurred_at) from %I', partition.name) into last_click;
    if last_click is not null then
      horizon.complete_since := greatest(horizon.complete_since, date_trunc('minute', last_click) + interval '1 minute');
    end if;
  end loop;
  update raw_clicks set kept_since = horizon.kept_since, complete_since = horizon.complete_since;
  return horizon.kept_since;
end $$;
revoke execute on function keep_raw_clicks_since(date) from public;
