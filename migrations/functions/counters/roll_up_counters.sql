-- Rolls up one part of what is complete now. 20,000 rows take a few tenths of a second, the longest that folds have to wait.
create or replace function roll_up_counters() returns bigint
  language sql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$ select roll_up_counters_at(clock_timestamp(), 20000) $$;
revoke execute on function roll_up_counters() from public;
grant execute on function roll_up_counters() to clicktally_processor;
