-- Creates the partition for the clicks of this day; does nothing if it exists. Partitions are by day. A month that is long past,
-- as a backfill may bring, gets one partition: it has few clicks per day, and with thousands of partitions a statement over all
-- of them runs out of locks (measured: at 6,000).
--
-- security definer, because processors call it and may not create tables. A transaction holds the lock on the row of raw_clicks,
-- which other roles cannot take, so that only one partition is created at a time.
create or replace function create_click_partition(day date) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
as $$
declare
  kept_since timestamptz;
  first_of_month date := date_trunc('month', day);
  first_of_next date := date_trunc('month', day) + interval '1 month';
  of_month text := 'clicks_' || to_char(day, 'YYYYMM');
  of_day text := 'clicks_' || to_char(day, 'YYYYMMDD');
  partition text;
  from_day date;
  to_day date;
  bounds text[];
begin
  if to_regclass('public.' || of_day) is not null or to_regclass('public.' || of_month) is not null then return; end if;
  -- One at a time: processors start simultaneously.
  select raw_clicks.kept_since into strict kept_since from raw_clicks for update;
  if to_regclass('public.' || of_day) is not null or to_regclass('public.' || of_month) is not null then return; end if;
  if day < kept_since then
    raise exception 'Raw clicks are kept since %: a partition for % cannot be created.', kept_since, day
      using errcode = 'check_violation', constraint = 'id_before_horizon';
  end if;
  -- A complete month, entirely after the horizon, without daily partitions. Seven days are more than the days back for which
  -- partitions are created in advance.
  if first_of_next <= current_date - 7 and first_of_month >= kept_since
    and not exists (select from pg_class where relnamespace = 'public'::regnamespace and relname like of_month || '__')
  then
    partition := of_month; from_day := first_of_month; to_day := first_of_next;
  else
    partition := of_day; from_day := day; to_day := day + 1;
  end if;
  select array_agg(substr(hex, 1, 8) || '-' || substr(hex, 9) || '-0000-0000-000000000000' order by hex) into bounds
  from (select lpad(to_hex((extract(epoch from border at time zone 'UTC') * 1000)::bigint), 12, '0')
        from unnest(array[from_day, to_day]) as border) as borders (hex);
  -- Created separately and attached, because CREATE … PARTITION OF would block writers.
  execute format('create table public.%I (like public.clicks including defaults including constraints)', partition);
  execute format('alter table public.%I add primary key (id, project_id)', partition);
  execute format('grant maintain on public.%I to clicktally_janitor', partition);
  -- A partition that was dropped is created again for a project that keeps its clicks longer than others.
  if exists (select from project_horizons where project_horizons.kept_since > from_day) then
    execute format('create trigger before_horizon before insert on public.%I for each row execute function refuse_click()',
      partition);
  end if;
  execute format('alter table public.clicks attach partition public.%I for values from (%L) to (%L)',
    partition, bounds[1], bounds[2]);
end $$;
revoke execute on function create_click_partition(date) from public;
grant execute on function create_click_partition(date) to clicktally_processor;
