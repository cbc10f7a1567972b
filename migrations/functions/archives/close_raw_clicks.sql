-- Moves the horizon of a project past this partition: from then on its clicks in the partition neither get more nor are counted
-- again, so they can be archived and removed. Needs a partition that is older than the project keeps its raw clicks.
--
-- Waits for transactions that are writing to the partition.
create or replace function close_raw_clicks(project int, partition text) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  ends_at timestamptz := click_partition_end(partition);
begin
  if not exists (select from projects where id = project and ends_at <= now() - make_interval(days => keep_raw_days)) then
    raise exception 'Project % keeps its raw clicks in % longer.', project, partition using errcode = 'invalid_parameter_value';
  end if;
  -- create_click_partition() takes the same lock.
  perform from raw_clicks for update;
  execute format('lock table %I in share row exclusive mode', partition);
  execute format(
    'create or replace trigger before_horizon before insert on %I for each row execute function refuse_click()', partition);
  insert into project_horizons as horizon (project_id, kept_since) values (project, ends_at)
  on conflict (project_id) do update set kept_since = greatest(horizon.kept_since, excluded.kept_since);
end $$;
revoke execute on function close_raw_clicks(int, text) from public;
grant execute on function close_raw_clicks(int, text) to clicktally_janitor;
