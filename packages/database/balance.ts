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
 * connection has ended, the next connection reports, and names the messages of unknown outcome: they are not owed
 * (producer_standing). Finished producers, which owe nothing, are not looked at: their sums are in ledger_totals.
 */
export async function readBalance(db: Kysely<Tables>): Promise<Balance> {
  const { rows } = await sql<Balance>`
    with heard as materialized (
      -- Looked up one by one: joined, all producers that there ever were might be read.
      select producer, (select folded from producers where producers.producer = sender.producer) as folded
      from (select distinct producer from messages) as sender
    ), live as (
      select messages.* from messages join heard using (producer)
      where folded is null or not folded @> sequence
    ), open as (
      select producer, previous, clicks, counted, duplicates from producers where not finished
    ), standing as (
      select * from producer_standing(array(
        select producer from open
        union select producer from live
        -- Of a connection that was told of, perhaps nothing has arrived, or it was thought over.
        union select previous from open where previous is not null))
      -- The clicks from before the ledger have no report.
      where producer <> '00000000-0000-0000-0000-000000000000'
    ), owed as (
      select coalesce(sum(owed), 0) as in_flight,
        coalesce(sum(case when closed_at < clock_timestamp() - interval '1 minute' then owed else long_owed end), 0)
          as overdue
      from standing
    ), arrived as (
      select coalesce(sum(clicks), 0) as clicks, coalesce(sum(counted), 0) as counted,
        coalesce(sum(duplicates), 0) as duplicates, coalesce(sum(dead), 0) as dead
      from (select clicks, counted, duplicates, 0 as dead from ledger_totals
        union all select clicks, counted, duplicates, 0 from open
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
