-- Puts clicks of an archive back, without counting them: they were counted before. The janitor removes them after `until`. Returns
-- how many were not there yet.
--
-- The partition is created as it was, a day also in a month that is long past. If meanwhile the month has become one partition, for clicks
-- of others, they go there. The janitor must have recorded that the project has none of its own in it: it removes all that it finds.
--
-- Refused while a visitor is to be removed from archives of the project.
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
  of_month text := 'clicks_' || substr(partition, 8, 6);
  target text := partition;
  a_day regclass;
begin
  -- Raises unless it is the name of one.
  perform click_partition_end(partition);
  -- Nobody creates or drops a partition meanwhile.
  perform from raw_clicks for update;
  if until <= now() or not exists (
    select from archives
    where archives.project_id = project and archives.partition = restore_archived_clicks.partition and given_up_at is not null)
  then
    raise exception 'No removed clicks of project % in % are archived, or they are to be restored until a time that is over.',
      project, partition using errcode = 'object_not_in_prerequisite_state';
  end if;
  -- A visitor who is being forgotten would come back. Whoever begins to forget one waits until this page is there, and finds it.
  lock table archive_erasures in share mode;
  if exists (select from archive_erasures where coalesce(project_id, project) = project) then
    raise exception 'Visitors are still to be removed from archives of project %. Import them after the janitor has done it, in its first run an hour or more after "visitors forget".',
      project using errcode = 'object_not_in_prerequisite_state';
  end if;
  if to_regclass('public.' || of_month) is not null then
    target := of_month;
  elsif partition = of_month then
    select inhrelid::regclass into a_day from pg_inherits
    where inhparent = 'clicks'::regclass and inhrelid::regclass::text like of_month || '__' order by inhrelid::regclass::text limit 1;
    if a_day is not null then
      raise exception 'The partition % cannot be created again beside %. Import it when the janitor has dropped the days of this month, or use "archive read".',
        partition, a_day using errcode = 'object_not_in_prerequisite_state';
    end if;
  end if;
  if to_regclass('public.' || target) is null then perform add_click_partition(target); end if;
  update archives
  set restored_until = case target when restore_archived_clicks.partition then until else greatest(restored_until, until) end,
    cleared_at = null
  where archives.project_id = project and archives.partition = target and given_up_at is not null;
  if not found then
    raise exception 'The clicks of project % in % have to go to %, of which the janitor has not yet recorded that the project has no clicks of its own in it. Import them after its next run; the project needs an age.',
      project, partition, target using errcode = 'object_not_in_prerequisite_state';
  end if;
  -- Not an attribute of the function: only a superuser may declare a setting of ours there, and managed servers have none.
  perform set_config('clicktally.restoring', 'on', true);
  execute format(
    'insert into %I
     select click.* from json_populate_recordset(null::clicks, $1) as click where click.project_id = $2
     on conflict do nothing', target)
    using ('[' || replace(rtrim(lines, e'\n'), e'\n', ',') || ']')::json, project;
  get diagnostics restored = row_count;
  perform set_config('clicktally.restoring', 'off', true);
  return restored;
end $$;
revoke execute on function restore_archived_clicks(int, text, timestamptz, text) from public;
grant execute on function restore_archived_clicks(int, text, timestamptz, text) to clicktally_operator;
