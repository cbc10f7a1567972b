-- Blocks folds of the ledger until the end of the transaction. For transactions that may store dead letters: to them, a message
-- that is being folded would look like one that never arrived.
create or replace function hold_ledger() returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$ begin
  perform from ledger_totals for share;
end $$;
revoke execute on function hold_ledger() from public;
grant execute on function hold_ledger() to clicktally_processor;
