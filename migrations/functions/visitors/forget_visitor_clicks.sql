-- Removes the visitor from these clicks and the columns of their hours, and returns how many clicks had it. The caller corrects their
-- counters in the same transaction.
--
-- security definer, because operators may not change clicks: with this they can remove a visitor and nothing else, and only
-- after record_forgetting() has recorded it as entry.
create or replace function forget_visitor_clicks(entry bigint, visitor text, ids uuid[], projects int[]) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  -- A nested loop over the primary keys of the few partitions that the ids are in, whatever the statistics say.
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_seqscan = off
as $$
declare
  changed bigint;
  partitions regclass[];
  partition regclass;
begin
  if not exists (
    select from audit_log
    where id = entry and action = 'visitor.forget' and subject = forgotten_visitor(visitor)
  ) then
    raise exception 'The audit log has no entry % for this visitor.', entry using errcode = 'invalid_parameter_value';
  end if;
  with forgotten as (
    update clicks set visitor_id = null
    from unnest(ids, projects) as given (id, project_id)
    where clicks.id = given.id and clicks.project_id = given.project_id and clicks.visitor_id = visitor
    returning clicks.tableoid, clicks.project_id, date_trunc('hour', clicks.occurred_at, 'UTC') as hour
  ), columns as (
    -- From before the horizon they could not be made again.
    select distinct project_id, hour from forgotten
    where hour >= (select complete_since from raw_clicks)
      and not exists (
        select from project_horizons as horizon where horizon.project_id = forgotten.project_id and hour < complete_since)
  ), archives_changed as (
    -- What the janitor has read of these clicks has the visitor: it reads them again.
    update archives set version = version + 1, verified_at = null
    from (select distinct project_id, tableoid::regclass::text as partition from forgotten) as changed
    where archives.project_id = changed.project_id and archives.partition = changed.partition and given_up_at is null
  ), columns_marked as (
    insert into stale_hours as mark (project_id, hour)
    select project_id, hour from columns order by project_id, hour
    on conflict (project_id, hour) do update set folds = mark.folds + 1
  ), columns_removed as (
    -- They have the visitor's hash. They are packed again from the clicks.
    delete from click_columns as packed using columns
    where packed.project_id = columns.project_id and packed.hour = columns.hour
  )
  select count(*), array_agg(distinct tableoid::regclass) into changed, partitions from forgotten;
  -- The old version of a changed row stays in the partition's file until a vacuum. By default there is none before a fifth of
  -- the rows has changed: of an old partition, never.
  for partition in
    select oid::regclass from pg_class
    where oid = any (partitions) and not coalesce(reloptions, '{}') @> '{autovacuum_vacuum_threshold=0}'
  loop
    execute format(
      'alter table %s set (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0)', partition);
  end loop;
  return changed;
end $$;
revoke execute on function forget_visitor_clicks(bigint, text, uuid[], int[]) from public;
grant execute on function forget_visitor_clicks(bigint, text, uuid[], int[]) to clicktally_operator;
