-- What these producers owe, in clicks: reported as confirmed, but not arrived. For a closed producer, whose successor has
-- reported how it ended, the result is exact; messages of unknown outcome are not owed. Accepts producers from which nothing has
-- arrived, which have no row in `producers`.
--
-- long_owed: owed when the newest folded report was made, and still not arrived.
create or replace function producer_standing(ids uuid[])
  returns table (producer uuid, closed_at timestamptz, owed bigint, long_owed bigint, live_messages bigint)
  language sql
  stable
  set search_path = pg_catalog, public, pg_temp
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
    -- Several successors may report it, if the first did not know whether its report arrived. The reports are equal.
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
revoke execute on function producer_standing(uuid[]) from public;
grant execute on function producer_standing(uuid[]) to clicktally_api, clicktally_operator;
