-- Drops indexes that "reindex concurrently" has left behind because it was interrupted. Only for the janitor that
-- holds the lock: an index that is being made looks the same.
create or replace function drop_unfinished_keys() returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  unfinished regclass;
begin
  for unfinished in
    select indexrelid from pg_index join pg_class on pg_class.oid = indexrelid
    where (indrelid in ('hour_counters'::regclass, 'day_counters'::regclass, 'month_counters'::regclass)
        or indrelid in (select inhrelid from pg_inherits where inhparent = 'clicks'::regclass))
      and not indisvalid and relname ~ '_pkey_cc(new|old)\d*$'
  loop
    execute format('drop index %s', unfinished);
  end loop;
end $$;
revoke execute on function drop_unfinished_keys() from public;
grant execute on function drop_unfinished_keys() to clicktally_janitor;
