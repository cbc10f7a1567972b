-- Deletes finished producers of the ledger that were last heard this long ago, at least 31 days, at most 10,000 a call. Returns how
-- many. Their sums are in ledger_totals, so no balance changes. A message of theirs that the broker redelivers even later would be
-- accepted a second time (decision 0037).
create or replace function expire_producers(age interval) returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  expired bigint;
begin
  if age < interval '31 days' then raise exception 'Too young: %.', age using errcode = 'invalid_parameter_value'; end if;
  -- No fold of the ledger reopens one meanwhile.
  perform from ledger_totals for update;
  delete from producers where producer = any (array(
    select producer from producers as old
    where finished and last_heard_at < now() - age
      -- A successor that is still open refers to it, as do messages, unsettled or not.
      and not exists (select from producers as successor where successor.previous = old.producer and not successor.finished)
      and not exists (select from messages where messages.producer = old.producer)
      and not exists (select from unsettled_messages as unsettled where unsettled.producer = old.producer)
    limit 10000));
  get diagnostics expired = row_count;
  return expired;
end $$;
revoke execute on function expire_producers(interval) from public;
grant execute on function expire_producers(interval) to clicktally_janitor;
