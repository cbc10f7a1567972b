-- Blocks folds and roll-ups until the end of the transaction. For operators who repair counters.
create or replace function hold_counters() returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$ begin
  perform from rollup_horizon for update;
end $$;
revoke execute on function hold_counters() from public;
grant execute on function hold_counters() to clicktally_operator;
