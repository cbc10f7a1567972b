-- Drops a partition of clicks that ended more than eight days ago and has only clicks that were given up, or none. Returns whether
-- it could. Raises lock_not_available at once while another transaction uses the partition, such as a backup. Then it needs a moment without
-- any transaction that uses clicks: the caller sets lock_timeout.
create or replace function drop_click_partition(partition text) returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  has_others boolean;
begin
  if click_partition_end(partition) > now() - interval '8 days' then
    raise exception '% is too young to be dropped.', partition using errcode = 'invalid_parameter_value';
  end if;
  -- Nobody creates it, closes it or restores clicks to it meanwhile.
  perform from raw_clicks for update;
  execute format('lock table %I in share row exclusive mode', partition);
  execute format(
    'select exists (select from %I where project_id <> all (array(
       select project_id from archives
       where partition = $1 and given_up_at is not null and coalesce(restored_until, ''-infinity'') <= now())))', partition)
    into has_others using partition;
  if has_others then return false; end if;
  -- DROP would lock clicks first, and keep everybody from clicks while it waits for the partition. Whoever queues for a lock blocks those
  -- who come later, so this does not wait.
  execute format('lock table %I in access exclusive mode nowait', partition);
  execute format('drop table %I', partition);
  update archives set cleared_at = clock_timestamp(), restored_until = null
  where archives.partition = drop_click_partition.partition and given_up_at is not null;
  return true;
end $$;
revoke execute on function drop_click_partition(text) from public;
grant execute on function drop_click_partition(text) to clicktally_janitor;
