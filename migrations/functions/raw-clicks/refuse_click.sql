-- Trigger function on partitions that end before a horizon: of all raw clicks, or of those of a project. Only restoring an archive
-- adds clicks there, which were counted before (restore_archived_clicks).
create or replace function refuse_click() returns trigger
  language plpgsql
  set search_path = pg_catalog, public, pg_temp
as $$ begin
  if current_setting('clicktally.restoring', true) = 'on' then return new; end if;
  if exists (select from raw_clicks where kept_since > uuid_extract_timestamp(new.id))
    or exists (select from project_horizons
      where project_id = new.project_id and kept_since > uuid_extract_timestamp(new.id))
  then
    raise exception 'The id is older than the stored raw clicks: the system cannot determine whether the click was counted.'
      using errcode = 'check_violation', constraint = 'id_before_horizon';
  end if;
  return new;
end $$;
revoke execute on function refuse_click() from public;
