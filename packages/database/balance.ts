import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** In clicks, since the beginning. accepted = counted + duplicates + dead + discarded + inFlight. */
export interface Balance {
  /** Clicks that the broker has taken: every click answered 202, and those whose answer got lost on its way. */
  readonly accepted: number
  readonly counted: number
  /** Clicks sent again with an id that was counted already. */
  readonly duplicates: number
  /** In the dead letters, waiting for a person. */
  readonly dead: number
  /** Dead letters that a person gave up. */
  readonly discarded: number
  /** Accepted, but not yet at any of those ends. */
  readonly inFlight: number
  /**
   * Those of them that should have come through over a minute ago, since later ones did. A processor that is cut off from
   * the database may still hold them; where none does, they are lost.
   */
  readonly overdue: number
}

/**
 * Reads the balance off the ledger, in one statement, so that it holds at any moment.
 *
 * What a producer's newest report says was confirmed, less what has arrived of that, is in flight. Of a producer whose
 * connection has ended, the next connection reports, and names the messages of unknown outcome: they are not owed.
 */
export async function readBalance(db: Kysely<Tables>): Promise<Balance> {
  const { rows } = await sql<Balance>`
    with live as (
      select messages.* from messages
      where not exists (
        select from producers where producers.producer = messages.producer and producers.folded @> messages.sequence)
    ), known as (
      select producer from producers
      union select producer from live
      -- Of a connection that was told of, perhaps nothing has arrived.
      union select previous from producers where previous_confirmed is not null
    ), producer as (
      select known.producer, successor.first_seen_at as closed_at, successor.previous_confirmed as closed_confirmed,
        successor.previous_unknown as closed_unknown,
        coalesce(folded.clicks, 0) as clicks, coalesce(folded.settled, 0) as settled,
        coalesce(folded.confirmed, 0) as confirmed
      from known
      left join producers folded on folded.producer = known.producer
      left join lateral (
        -- Several may tell it, where the first of them did not know whether it had got through. They tell the same.
        select first_seen_at, previous_confirmed, previous_unknown from producers
        where previous = known.producer and previous_confirmed is not null
        order by first_seen_at limit 1
      ) successor on true
    ), report as (
      select producer, max(settled) as settled, max(confirmed) as confirmed from live group by producer
    ), standing as (
      select producer.closed_at,
        -- What was owed when the newest of the folded reports was made, and has still not arrived.
        producer.confirmed - producer.clicks
          - coalesce(sum(live.clicks) filter (where live.sequence <= producer.settled), 0) as long_owed,
        case when producer.closed_at is null then
          greatest(producer.confirmed, report.confirmed) - producer.clicks
            - coalesce(sum(live.clicks) filter (where live.sequence <= greatest(producer.settled, report.settled)), 0)
        else
          producer.closed_confirmed - producer.clicks
            - coalesce(sum(live.clicks) filter (where live.sequence <> all (producer.closed_unknown)), 0)
        end as owed
      from producer left join report using (producer) left join live using (producer)
      -- The clicks from before the ledger have no report.
      where producer <> '00000000-0000-0000-0000-000000000000'
      group by producer, producer.closed_at, producer.closed_confirmed, producer.closed_unknown, producer.clicks,
        producer.settled, producer.confirmed, report.settled, report.confirmed
    ), owed as (
      select coalesce(sum(owed), 0) as in_flight,
        coalesce(sum(case when closed_at < clock_timestamp() - interval '1 minute' then owed else long_owed end), 0)
          as overdue
      from standing
    ), arrived as (
      select coalesce(sum(clicks), 0) as clicks, coalesce(sum(counted), 0) as counted,
        coalesce(sum(duplicates), 0) as duplicates, coalesce(sum(dead), 0) as dead
      from (select clicks, counted, duplicates, 0 as dead from producers
        union all select clicks, counted, duplicates, dead from live) as everything
    ), letters as (
      select coalesce(sum(clicks) filter (where resolution is null), 0) as dead,
        coalesce(sum(clicks) filter (where resolution = 'discarded'), 0) as discarded,
        -- A replayed click is accepted a second time, by the message that carries it then.
        coalesce(sum(clicks) filter (where resolution = 'replayed'), 0) as replayed
      from dead_letters
    )
    select
      arrived.clicks + owed.in_flight - letters.replayed as accepted,
      arrived.counted, arrived.duplicates, letters.dead, letters.discarded,
      owed.in_flight + arrived.clicks - arrived.counted - arrived.duplicates - arrived.dead as "inFlight",
      owed.overdue
    from arrived, owed, letters`.execute(db)
  const [balance] = rows
  if (balance === undefined) throw new Error('the balance has no row')
  return balance
}
