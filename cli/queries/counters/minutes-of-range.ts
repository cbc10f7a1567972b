import { type RawBuilder, sql } from 'kysely'

/** Half-open, whole minutes. */
export interface MinuteRange {
  readonly from: Date | '-infinity'
  readonly to: Date | 'infinity'
}

const columns = sql`project_id, target, minute, total, bots, visitors`

/**
 * The folded counters of these minutes, in rows of their own or packed in their hour (decision 0044): (project_id, target, minute,
 * total, bots, visitors). Several rows together are one counter.
 */
export function foldedMinutes({ from, to }: MinuteRange): RawBuilder<unknown> {
  return sql`
    select ${columns} from minute_counters where minute >= ${from}::timestamptz and minute < ${to}::timestamptz
    union all
    select ${columns} from packed_minutes
    where hour > ${from}::timestamptz - interval '1 hour' and hour < ${to}::timestamptz and minute >= ${from}::timestamptz and minute < ${to}::timestamptz`
}

/** The same with the deltas that are not folded yet. */
export function countedMinutes(range: MinuteRange): RawBuilder<unknown> {
  const { from, to } = range
  return sql`
    ${foldedMinutes(range)}
    union all
    select ${columns} from counter_deltas where minute >= ${from}::timestamptz and minute < ${to}::timestamptz`
}
