-- One row. Both times only ever move on; keep_raw_clicks_since() moves them.
create table raw_clicks (
  only_row boolean primary key default true check (only_row),
  -- Clicks whose id is from before may be gone, and with them the knowledge that they were counted. So none is taken any more.
  kept_since timestamptz not null default '-infinity',
  -- All clicks that occurred in a minute from here on are there: its counters can be recomputed. Later than kept_since where
  -- a click occurred later than its id was made.
  complete_since timestamptz not null default '-infinity'
);
insert into raw_clicks default values;
grant select on raw_clicks to clicktally_processor, clicktally_api, clicktally_operator;

create function refuse_click() returns trigger
  language plpgsql
as $$ begin
  raise exception 'The id is from before raw clicks are kept: whether the click was counted cannot be told any more.'
    using errcode = 'check_violation', constraint = 'id_before_horizon';
end $$;

-- Moves the horizon to the start of this day in UTC, or of its month where that is one partition. From then on nothing can be
-- inserted into the partitions before it, and they may be dropped. Returns kept_since.
--
-- It waits for transactions that are writing to those partitions, and reads them whole, to find out when their clicks occurred.
create function keep_raw_clicks_since(day date) returns timestamptz
  language plpgsql
  set search_path = pg_catalog, public
  set timezone = 'UTC'
as $$
declare
  horizon raw_clicks;
  partition record;
  last_click timestamptz;
begin
  -- Partitions are made by who holds this lock, too.
  select * into strict horizon from raw_clicks for update;
  if to_regclass('public.clicks_' || to_char(day, 'YYYYMM')) is not null then day := date_trunc('month', day); end if;
  horizon.kept_since := greatest(horizon.kept_since, day::timestamptz);
  horizon.complete_since := greatest(horizon.complete_since, horizon.kept_since);
  for partition in
    select name from (
      select inhrelid, inhrelid::regclass::text as name, substr(inhrelid::regclass::text, 8) as digits
      from pg_inherits where inhparent = 'clicks'::regclass
    ) as child
    where case length(digits) when 6 then to_date(digits, 'YYYYMM') + interval '1 month'
        else to_date(digits, 'YYYYMMDD') + interval '1 day' end <= horizon.kept_since
      and not exists (select from pg_trigger where tgrelid = inhrelid and tgname = 'before_horizon')
    order by name
  loop
    execute format(
      'create trigger before_horizon before insert on %I for each row execute function refuse_click()', partition.name);
    execute format('select max(occurred_at) from %I', partition.name) into last_click;
    if last_click is not null then
      horizon.complete_since := greatest(horizon.complete_since, date_trunc('minute', last_click) + interval '1 minute');
    end if;
  end loop;
  update raw_clicks set kept_since = horizon.kept_since, complete_since = horizon.complete_since;
  return horizon.kept_since;
end $$;
revoke execute on function keep_raw_clicks_since(date), refuse_click() from public;

-- As before, but none before the horizon, and one at a time by the lock of a row, which other roles can't take.
create or replace function create_click_partition(day date) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public
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
  -- One at a time: processors start together.
  select raw_clicks.kept_since into strict kept_since from raw_clicks for update;
  if to_regclass('public.' || of_day) is not null or to_regclass('public.' || of_month) is not null then return; end if;
  if day < kept_since then
    raise exception 'Raw clicks are kept since %: there is no partition for the clicks of %.', kept_since, day
      using errcode = 'check_violation', constraint = 'id_before_horizon';
  end if;
  -- A month that is over, all of which is kept, and in which no day has a partition of its own. The week is more than the
  -- days back for which partitions are made ahead of clicks.
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
  -- Made beside the table and attached, since CREATE … PARTITION OF would lock out the writers.
  execute format('create table public.%I (like public.clicks including defaults including constraints)', partition);
  execute format('alter table public.%I add primary key (id, project_id)', partition);
  execute format('alter table public.clicks attach partition public.%I for values from (%L) to (%L)',
    partition, bounds[1], bounds[2]);
end $$;
