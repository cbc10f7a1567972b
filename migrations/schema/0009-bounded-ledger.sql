-- Bounds the work of the ledger: it no longer grows with the number of connections there ever were (decision 0019).
--
-- Earlier processors must not run against this schema: they block folds of the ledger with an advisory lock that the folds no
-- longer respect. Nor must an earlier API: it does not know unsettled_messages.

-- A producer is finished when it owes nothing, has no message in `messages`, and is closed: its successor reported how it ended,
-- or it was silent for an hour. Its sums are then part of ledger_totals and its row is no longer scanned. The row stays, to
-- recognise redelivered messages. If something new arrives from the producer, it is reopened.
alter table producers
  add column finished boolean not null default false,
  add column last_heard_at timestamptz not null default clock_timestamp();

create index producers_open on producers (producer) where not finished;

-- Messages of closed producers that were folded without a report of their outcome: their clicks are in the producer's sums, but
-- not among those it reported as confirmed.
create table unsettled_messages (
  producer uuid not null,
  sequence bigint not null,
  clicks int not null,
  primary key (producer, sequence)
);

-- The sums of all finished producers. Folding the ledger, or blocking folds, takes the lock on this row.
create table ledger_totals (
  only_row boolean primary key default true check (only_row),
  clicks bigint not null default 0,
  counted bigint not null default 0,
  duplicates bigint not null default 0
);
insert into ledger_totals default values;

-- Snapshots of two functions, because the loop below calls them. migrations/functions/ holds the current versions.
drop function if exists fold_ledger(interval);

create function producer_standing(ids uuid[])
  returns table (producer uuid, closed_at timestamptz, owed bigint, long_owed bigint, live_messages bigint)
  language sql
  stable
  set search_path = pg_catalog, public
as $$
  select known.producer, closed.at,
    case when closed.at is null
      then greatest(own.confirmed, report.confirmed) - own.clicks + kept.unsettled - live.settled
      else closed.confirmed - own.clicks + kept.unknown - live.known
    end,
    own.confirmed - own.clicks + kept.long_unsettled - live.long_settled,
    report.messages
  from unnest(ids) as known (producer)
  cross join lateral (
    select coalesce(max(clicks), 0) as clicks, coalesce(max(settled), 0) as settled,
      coalesce(max(confirmed), 0) as confirmed, coalesce(range_agg(folded), '{}') as folded
    from producers where producers.producer = known.producer
  ) as own
  left join lateral (
    select first_seen_at as at, previous_confirmed as confirmed, previous_unknown as unknown
    from producers
    where previous = known.producer and previous_confirmed is not null
    order by first_seen_at limit 1
  ) as closed on true
  cross join lateral (
    select count(*) as messages, coalesce(max(settled), 0) as settled, coalesce(max(confirmed), 0) as confirmed
    from messages where messages.producer = known.producer and not own.folded @> sequence
  ) as report
  cross join lateral (
    select
      coalesce(sum(clicks) filter (where sequence <= own.settled), 0) as long_settled,
      coalesce(sum(clicks) filter (where sequence <= greatest(own.settled, report.settled)), 0) as settled,
      coalesce(sum(clicks) filter (where sequence <> all (closed.unknown)), 0) as known
    from messages where messages.producer = known.producer and not own.folded @> sequence
  ) as live
  cross join lateral (
    select
      coalesce(sum(clicks) filter (where sequence > own.settled), 0) as long_unsettled,
      coalesce(sum(clicks) filter (where sequence > greatest(own.settled, report.settled)), 0) as unsettled,
      coalesce(sum(clicks) filter (where sequence = any (closed.unknown)), 0) as unknown
    from unsettled_messages where unsettled_messages.producer = known.producer
  ) as kept
$$;

create function fold_ledger(older_than interval, silent_for interval default interval '1 hour') returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, public
as $$
declare
  written_before timestamptz := clock_timestamp() - older_than;
  silent_since timestamptz := clock_timestamp() - silent_for;
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

-- Finishes every closed producer now. Otherwise the balance would scan them all until the folds have caught up. A producer that
-- is finished too early is reopened.
do $$
declare
  still_open bigint;
  were_open bigint;
begin
  loop
    select count(*) into were_open from producers where not finished;
    perform fold_ledger(interval '1 minute', interval '0');
    select count(*) into still_open from producers where not finished;
    exit when still_open = were_open;
  end loop;
end $$;

grant select on unsettled_messages, ledger_totals to clicktally_api, clicktally_operator;
