-- Folds committed deltas into the counters, at most 50,000 per call. Only one call runs at a time: a concurrent call returns
-- immediately with folded = 0.
--
-- A delta that PostgreSQL refuses does not block the others: the call retries with fewer and fewer deltas until the refused one
-- is alone, and sets that one aside for an hour. Only error classes caused by the data itself are treated this way.
create or replace function fold_counter_deltas(out folded bigint, out set_aside bigint, out refusal text)
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
  -- The first delta here must be the first one in fold_deltas() as well.
  set synchronize_seqscans = off
as $$
declare
  began_at timestamptz := clock_timestamp();
  at_most int := 50000;
begin
  folded := 0;
  set_aside := 0;
  perform from rollup_horizon for update skip locked;
  if not found then return; end if;
  loop
    begin
      folded := fold_deltas(at_most);
      exit;
    exception when data_exception or integrity_constraint_violation or program_limit_exceeded then
      refusal := sqlerrm;
      if at_most > 1 then
        at_most := greatest(1, at_most / 10);
      else
        update counter_deltas set set_aside_until = clock_timestamp() + interval '1 hour'
        where ctid = (
          select ctid from counter_deltas
          where set_aside_until is null or set_aside_until < clock_timestamp() limit 1);
        set_aside := 1;
        exit;
      end if;
    end;
  end loop;
  if folded < at_most and set_aside = 0 then update rollup_horizon set folded_through = began_at; end if;
end $$;
revoke execute on function fold_counter_deltas() from public;
grant execute on function fold_counter_deltas() to clicktally_processor, clicktally_operator;
