-- Puts clicks of an archive back, without counting them: they were counted before. The janitor removes them after `until`. Returns
-- how many were not there yet.
--
-- The lines are JSON, without a newline inside: as one array they are read in half the time that parsing each on its own takes.
--
-- security definer, because operators may not add clicks: with this only such clicks as the project once had in this partition, by
-- their ids, and only while it is recorded as archived. The ids are before the project's horizon, so none can be counted again.
create or replace function restore_archived_clicks(project int, partition text, until timestamptz, lines text) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  set timezone = 'UTC'
as $$
declare
  restored bigint;
begin
  perform create_click_partition((click_partition_end(partition) - interval '1 day')::date);
  update archives set restored_until = until, cleared_at = null
  where archives.project_id = project and archives.partition = restore_archived_clicks.partition and given_up_at is not null
    and until > now();
  if not found then
    raise exception 'No removed clicks of project % in % are archived, or they are to be restored until a time that is over.',
      project, partition using errcode = 'object_not_in_prerequisite_state';
  end if;
  -- Not an attribute of the function: only a superuser may declare a setting of ours there, and managed servers have none.
  perform set_config('clicktally.restoring', 'on', true);
  execute format(
    'insert into %I
     select click.* from json_populate_recordset(null::clicks, $1) as click where click.project_id = $2
     on conflict do nothing', partition)
    using ('[' || replace(rtrim(lines, e'\n'), e'\n', ',') || ']')::json, project;
  get diagnostics restored = row_count;
  perform set_config('clicktally.restoring', 'off', true);
  return restored;
end $$;
revoke execute on function restore_archived_clicks(int, text, timestamptz, text) from public;
grant execute on function restore_archived_clicks(int, text, timestamptz, text) to clicktally_operator;
