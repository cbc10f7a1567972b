-- Allows the removal of a project's clicks in this partition, of which there is a verified archive. Their counters are final from then
-- on, so all of their hours must be packed; otherwise this raises object_not_in_prerequisite_state, and a later call succeeds.
-- Marks of hours before the horizon are removed: such an hour is never packed again.
create or replace function give_up_raw_clicks(project int, partition text) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
as $$
declare
  archive archives;
  stored bigint;
  complete_from timestamptz;
begin
  select * into archive from archives
  where archives.project_id = project and archives.partition = give_up_raw_clicks.partition for update;
  if archive.verified_at is null then
    raise exception 'The archive of project % and % is not verified.', project, partition
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  if archive.given_up_at is not null then return; end if;
  -- It is closed: there come no more.
  execute format('select count(*) from %I where project_id = $1', partition) into stored using project;
  if stored <> archive.clicks or not exists (
    select from project_horizons where project_id = project and kept_since >= click_partition_end(partition))
  then
    raise exception 'Project % has % clicks in %, and the archive has %.', project, stored, partition, archive.clicks
      using errcode = 'data_exception';
  end if;
  if archive.last_occurred_at is not null then
    -- Of hours that contain a click of this partition, none is packed again. No fold marks one meanwhile.
    perform from rollup_horizon for update;
    complete_from := date_trunc('minute', archive.last_occurred_at) + interval '1 minute';
    delete from stale_hours
    where project_id = project and hour < greatest(
      (select complete_since from raw_clicks), (select complete_since from project_horizons where project_id = project));
    if exists (select from stale_hours where project_id = project and hour < complete_from)
      or exists (select from counter_deltas where project_id = project and minute < complete_from)
      or exists (select from stale_sums
        where project_id = project and width = 'day' and start + interval '1 day' <= complete_from)
    then
      raise exception 'Not all hours of project % before % are packed.', project, complete_from
        using errcode = 'object_not_in_prerequisite_state';
    end if;
    update project_horizons set complete_since = greatest(complete_since, complete_from) where project_id = project;
  end if;
  update archives set given_up_at = clock_timestamp()
  where archives.project_id = project and archives.partition = give_up_raw_clicks.partition;
end $$;
revoke execute on function give_up_raw_clicks(int, text) from public;
grant execute on function give_up_raw_clicks(int, text) to clicktally_janitor;
