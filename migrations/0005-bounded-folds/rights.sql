-- For who mends counters: holds the folds and the roll-ups off until the end of the transaction.
create function hold_counters() returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public
as $$ begin
  perform from rollup_horizon for update;
end $$;

revoke execute on function
  fold_deltas(int), fold_counter_deltas(), fold_counters(),
  roll_up_part(text, text, timestamptz, int, timestamptz, int, text),
  roll_up_counters_at(timestamptz, int), roll_up_counters(), hold_counters()
from public;
grant execute on function fold_counter_deltas(), fold_counters(), roll_up_counters() to clicktally_processor;
grant execute on function hold_counters() to clicktally_operator;
