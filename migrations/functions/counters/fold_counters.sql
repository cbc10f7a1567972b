-- fold_counter_deltas() with only its count: the number of deltas folded.
create or replace function fold_counters() returns bigint
  language sql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$ select folded from fold_counter_deltas() $$;
revoke execute on function fold_counters() from public;
grant execute on function fold_counters() to clicktally_processor;
