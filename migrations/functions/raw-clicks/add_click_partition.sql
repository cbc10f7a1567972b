-- Creates exactly this partition of clicks, of a day or of a month, unless it exists. Only for create_click_partition(), which chooses, and
-- restore_archived_clicks(). A transaction holds the lock on the row of raw_clicks, so that only one partition is created at a time.
create or replace function add_click_partition(partition text) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
as $$
declare
  kept_since timestamptz;
  ends_at timestamptz := click_partition_end(partition);
  starts_at timestamptz := ends_at - case when partition ~ '^clicks_\d{6}$' then interval '1 month' else interval '1 day' end;
  bounds text[];
begin
  select raw_clicks.kept_since into strict kept_since from raw_clicks for update;
  if to_regclass('public.' || partition) is not null then return; end if;
  if starts_at < kept_since then
    raise exception 'Raw clicks are kept since %: a partition for % cannot be created.', kept_since, starts_at::date
      using errcode = 'check_violation', constraint = 'id_before_horizon';
  end if;
  select array_agg(substr(hex, 1, 8) || '-' || substr(hex, 9) || '-0000-0000-000000000000' order by hex) into bounds
  from (select lpad(to_hex((extract(epoch from border) * 1000)::bigint), 12, '0')
        from unnest(array[starts_at, ends_at]) as border) as borders (hex);
  -- Created separately and attached, because CREATE … PARTITION OF would block writers.
  execute format('create table public.%I (like public.clicks including defaults including constraints)', partition);
  execute format('alter table public.%I add primary key (id, project_id)', partition);
  execute format('grant maintain on public.%I to clicktally_janitor', partition);
  -- A partition that was dropped is created again for a project that keeps its clicks longer than others, or for an archive.
  if exists (select from project_horizons where project_horizons.kept_since > starts_at) then
    execute format('create trigger before_horizon before insert on public.%I for each row execute function refuse_click()',
      partition);
  end if;
  execute format('alter table public.clicks attach partition public.%I for values from (%L) to (%L)',
    partition, bounds[1], bounds[2]);
end $$;
revoke execute on function add_click_partition(text) from public;
