-- Removes some of a project's clicks in this partition, which were given up. Returns how many; 0 when there are none left, and
-- the archive is recorded as cleared.
create or replace function remove_raw_clicks(project int, partition text, at_most int) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  removed bigint;
begin
  perform from archives
  where archives.project_id = project and archives.partition = remove_raw_clicks.partition
    and given_up_at is not null and coalesce(restored_until, '-infinity') <= now()
  for update;
  if not found then
    raise exception 'The clicks of project % in % are not given up.', project, partition
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  execute format('delete from %1$I where ctid = any (array(select ctid from %1$I where project_id = $1 limit $2))', partition)
    using project, at_most;
  get diagnostics removed = row_count;
  if removed = 0 then
    update archives set cleared_at = clock_timestamp(), restored_until = null
    where archives.project_id = project and archives.partition = remove_raw_clicks.partition;
  end if;
  return removed;
end $$;
revoke execute on function remove_raw_clicks(int, text, int) from public;
grant execute on function remove_raw_clicks(int, text, int) to clicktally_janitor;
