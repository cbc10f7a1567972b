-- Lets the primary key of a partition of clicks fill its pages when it is made anew. For partitions that get no more clicks: in a full page
-- there is no room for a late one.
create or replace function fill_key(partition regclass) returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  key regclass;
begin
  select indexrelid into strict key
  from pg_inherits join pg_index on indrelid = inhrelid
  where inhparent = 'clicks'::regclass and inhrelid = partition and indisprimary;
  execute format('alter index %s set (fillfactor = 100)', key);
end $$;
revoke execute on function fill_key(regclass) from public;
grant execute on function fill_key(regclass) to clicktally_janitor;
