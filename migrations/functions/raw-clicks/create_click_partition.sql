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
begin
  if to_regclass('public.' || of_day) is not null or to_regclass('public.' || of_month) is not null then return; end if;
  -- One at a time: processors start simultaneously.
  select raw_clicks.kept_since into strict kept_since from raw_clicks for update;
  if to_regclass('public.' || of_day) is not null or to_regclass('public.' || of_month) is not null then return; end if;
  -- A complete month, entirely after the horizon, without daily partitions. Seven days are more than the days back for which
  -- partitions are created in advance.
  if first_of_next <= current_date - 7 and first_of_month >= kept_since
    and not exists (select from pg_class where relnamespace = 'public'::regnamespace and relname like of_month || '__')
  then
    perform add_click_partition(of_month);
  else
    perform add_click_partition(of_day);
  end if;
end $$;
revoke execute on function create_click_partition(date) from public;
grant execute on function create_click_partition(date) to clicktally_processor;
