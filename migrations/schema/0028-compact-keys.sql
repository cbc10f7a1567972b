-- Lets the janitor make the primary keys of past days anew, which takes a third less space (decision 0044). The right to maintain a table
-- is one to rewrite and to lock it, not to read or change it. create_click_partition() grants it for new partitions.
--
-- Earlier versions may run against this schema.

do $$
declare
  partition regclass;
begin
  for partition in select inhrelid from pg_inherits where inhparent = 'clicks'::regclass loop
    execute format('grant maintain on %s to clicktally_janitor', partition);
  end loop;
end $$;

-- To return the space of minutes that were packed.
grant select (project_id) on minute_counters to clicktally_janitor;
grant maintain on minute_counters to clicktally_janitor;
