import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** Numbers of clicks, since the beginning. accepted = counted + duplicates + dead + discarded + inFlight. */
export interface Balance {
  /** Clicks that the broker accepted: every click answered 202, and those whose answer was lost. */
  readonly accepted: number
  readonly counted: number
  /** Clicks with an id that was already counted. */
  readonly duplicates: number
  /** In the dead letters, waiting for a person. */
  readonly dead: number
  /** Dead letters that a person discarded. */
  readonly discarded: number
  /** Accepted, but none of the above yet. */
  readonly inFlight: number
  /**
   * Clicks in flight that should have arrived over a minute ago, because later ones did. A processor that is cut off from the
   * database may still hold them; otherwise they are lost.
   */
  readonly overdue: number
}

/**
 * Reads the balance from the ledger in one statement, so that it is consistent at any moment.
 *
 * In flight is what a producer's newest report says was confirmed, minus what has arrived of it. For a producer whose connection
 * has ended, the next connection reports, and names the messages with unknown outcome, which are not expected
 * (producer_standing). Finished producers, from which nothing is expected, are not read: their sums are in ledger_totals.
 */
export async function readBalance(db: Kysely<Tables>): Promise<Balance> {
  const { rows } = await sql<Balance>`
    with heard as materialized (
      -- A lookup for each, because a join might read all producers that ever existed.
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
        -- From a previous connection perhaps nothing has arrived, or it was considered finished.
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
        -- A replayed click is accepted a second time, with the message that carries it then.
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
