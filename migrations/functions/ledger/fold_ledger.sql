-- Moves messages older than older_than from `messages` into the sums of their producers, and finishes producers that are closed
-- and owe nothing. Both in bounded parts. Only one call runs at a time: a concurrent call returns immediately.
--
-- A redelivered message is recognised by `folded`: its row does not count in the balance, and the next call deletes it. For a
-- producer that is still open, only messages up to its last report are folded, because the outcome of later ones may be unknown.
-- Messages with dead letters stay, because those may still be replayed.
--
-- silent_for is how long a producer that never reported its end (its ingest was killed) must be silent before it counts as
-- closed. Closing one too early does no harm: it is reopened when something arrives.
create or replace function fold_ledger(older_than interval, silent_for interval default interval '1 hour') returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public, pg_temp
as $$
declare
  written_before timestamptz := clock_timestamp() - older_than;
  silent_since timestamptz := clock_timestamp() - silent_for;
  -- A few hundred milliseconds each.
  max_messages int := 50000;
  max_producers int := 10000;
  start uuid := gen_random_uuid();
  judged uuid[];
begin
  perform from ledger_totals for update skip locked;
  if not found then return; end if;

  insert into producers (producer) select distinct producer from messages on conflict do nothing;

  with report as (
    select producer, max(written_at) as heard_at,
      max(settled) filter (where written_at < written_before) as settled,
      max(confirmed) filter (where written_at < written_before) as confirmed
    from messages group by producer
  ), ripe as materialized (
    -- Subqueries, because a join might scan every producer there ever was.
    select report.producer, heard_at, report.confirmed,
      greatest(report.settled, (select settled from producers where producers.producer = report.producer)) as settled,
      (select folded from producers where producers.producer = report.producer) as folded,
      heard_at < silent_since
        or exists (
          select from producers as successor
          where successor.previous = report.producer and successor.previous_confirmed is not null) as is_over
    from report
    where report.settled is not null
  ), due as (
    delete from messages using ripe
    where messages.producer = ripe.producer and written_at < written_before and dead = 0
      and (sequence <= ripe.settled or is_over)
      and messages.ctid = any (array(
        select ctid from messages where written_at < written_before and dead = 0 limit max_messages))
    returning messages.producer, sequence, messages.clicks, messages.counted, messages.duplicates,
      sequence > ripe.settled as is_unsettled, folded @> sequence as again
  ), kept as (
    insert into unsettled_messages (producer, sequence, clicks)
    select producer, sequence, clicks from due where is_unsettled and not again and clicks > 0
  ), summed as (
    select producer, range_agg(int8range(sequence, sequence, '[]')) as sequences, sum(clicks) as clicks,
      sum(counted) as counted, sum(duplicates) as duplicates
    from due where not again group by producer
  ), raised as (
    update producers set
      folded = producers.folded + coalesce(summed.sequences, '{}'),
      clicks = producers.clicks + coalesce(summed.clicks, 0),
      counted = producers.counted + coalesce(summed.counted, 0),
      duplicates = producers.duplicates + coalesce(summed.duplicates, 0),
      settled = ripe.settled,
      confirmed = greatest(producers.confirmed, ripe.confirmed),
      last_heard_at = greatest(producers.last_heard_at, ripe.heard_at)
    from ripe left join summed using (producer)
    where producers.producer = ripe.producer
    returning producers.producer, finished, summed.clicks, summed.counted, summed.duplicates
  ), of_finished as (
    select array_agg(producer) as producers, coalesce(sum(clicks), 0) as clicks, coalesce(sum(counted), 0) as counted,
      coalesce(sum(duplicates), 0) as duplicates
    from raised where finished
  )
  update ledger_totals set
    clicks = ledger_totals.clicks + of_finished.clicks,
    counted = ledger_totals.counted + of_finished.counted,
    duplicates = ledger_totals.duplicates + of_finished.duplicates
  from of_finished
  returning of_finished.producers into judged;

  -- Open producers from a random start, so that producers that never finish do not block others; plus their predecessors.
  judged := array(
    with open as (
      (select producer, previous from producers where not finished and producer > start order by producer limit max_producers)
      union all
      (select producer, previous from producers where not finished and producer <= start order by producer limit max_producers)
    )
    select producer from open
    union select previous from open where previous is not null
    union select unnest(judged)
  );

  with verdict as materialized (
    select producer,
      owed = 0 and live_messages = 0 and (closed_at is not null or last_heard_at < silent_since)
        -- If nothing has arrived from its predecessor, this row is the only record of it.
        and (previous_confirmed is null or previous_confirmed = 0
          or exists (select from producers as before where before.producer = producers.previous)) as is_finished
    from producer_standing(judged) join producers using (producer)
  ), changed as (
    update producers set finished = is_finished
    from verdict
    where producers.producer = verdict.producer and finished <> is_finished
    returning case when is_finished then 1 else -1 end as sign, clicks, counted, duplicates
  ), change as (
    select sum(sign * clicks) as clicks, sum(sign * counted) as counted, sum(sign * duplicates) as duplicates from changed
    having count(*) > 0
  )
  update ledger_totals set
    clicks = ledger_totals.clicks + change.clicks,
    counted = ledger_totals.counted + change.counted,
    duplicates = ledger_totals.duplicates + change.duplicates
  from change;
end $$;
revoke execute on function fold_ledger(interval, interval) from public;
grant execute on function fold_ledger(interval, interval) to clicktally_processor;
