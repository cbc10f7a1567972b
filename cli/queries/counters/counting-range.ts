import type { Tables } from '@clicktally/database/tables.ts'
import { sql, type Transaction } from 'kysely'
import { countedMinutes } from './minutes-of-range.ts'

export interface CountingRange {
  /** Half-open, whole minutes. Null if there is nothing. */
  readonly from: Date | null
  readonly to: Date | null
  /** According to the counters: an estimate for the progress bar. */
  readonly clicks: number
}

/**
 * Returns the range of minutes that have counters or clicks, within bounds. Looks for clicks only outside the range of the
 * counters, where the index over their times quickly shows that there are none.
 */
export async function countingRange(
  snapshot: Transaction<Tables>,
  from: Date | undefined,
  to: Date | undefined,
): Promise<CountingRange> {
  const { rows } = await sql<CountingRange>`
    with bound as (
      select coalesce(${from ?? null}::timestamptz, '-infinity') as "from", coalesce(${to ?? null}::timestamptz, 'infinity') as "to"
    ), counter as (
      select min(minute) as "from", max(minute) + interval '1 minute' as "to", coalesce(sum(total + bots), 0) as clicks
      from (${countedMinutes({ from: from ?? '-infinity', to: to ?? 'infinity' })}) as part
      where target <> ''
    ), earlier as (
      select min(occurred_at) as "from", max(occurred_at) as "to" from clicks
      where occurred_at >= (select "from" from bound)
        and occurred_at < (select coalesce(counter."from", bound."to") from counter, bound)
    ), later as (
      select max(occurred_at) as "to" from clicks
      where occurred_at >= (select coalesce(counter."to", 'infinity') from counter)
        and occurred_at < (select "to" from bound)
    )
    select
      date_trunc('minute', least(counter."from", earlier."from")) as "from",
      date_trunc('minute', greatest(counter."to", earlier."to" + interval '1 minute', later."to" + interval '1 minute')) as "to",
      counter.clicks
    from counter, earlier, later`.execute(snapshot)
  const [range] = rows
  if (range === undefined) throw new Error('the range has no row')
  return range
}
