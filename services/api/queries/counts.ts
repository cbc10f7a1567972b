import { createDatabaseOn } from '@clicktally/database/connection.ts'
import { asOfQuery } from '@clicktally/database/freshness.ts'
import { timestampText } from '@clicktally/database/timestamp-text.ts'
import type { PoolClient } from 'pg'
import { type CountsFilter, rangeOf } from '../request/counts-filter.ts'
import { type BucketPieces, bucketPieces, type Piece } from '../time/bucket-pieces.ts'
import type { SketchCache } from '../visitors/sketch-cache.ts'
import { type VisitorsOfRows, visitorsOf } from '../visitors/visitors-of.ts'
import type { CounterState, RolledUpBefore } from './counter-state.ts'

export interface Counts {
  /** Clicks by people. */
  readonly total: number
  readonly bots: number
  /** Distinct. */
  readonly visitors: number
}

interface Row extends VisitorsOfRows {
  readonly total: number
  readonly bots: number
  readonly as_of: Date | null
  readonly month: number
  readonly day: number
  readonly hour: number
}

/** The most pieces of each width that bucketPieces() returns. */
const piecesOfWidth = { month: 1, day: 2, hour: 2, minute: 2 }
const widths = ['month', 'day', 'hour', 'minute'] as const

/**
 * Reads counts, and the state of the counters, in one statement. They are of one snapshot then, without a transaction, which would take
 * three more round trips. The statement has one form for any range, so that it is planned once for each connection.
 *
 * @param rolledUpBefore the horizons, or earlier ones
 */
export async function counts(
  client: Pick<PoolClient, 'query'>,
  filter: CountsFilter,
  rolledUpBefore: RolledUpBefore,
  sketches: SketchCache,
): Promise<Counts & CounterState> {
  const range = rangeOf(filter)
  const { form, targets } = formFor(filter)
  const { rows } = await client.query<Row>({
    ...form,
    values: [filter.projectId, targets, ...boundsOf(bucketPieces(range, rolledUpBefore, 'month'), range)],
  })
  const [row] = rows
  if (row === undefined) throw new Error('the table rollup_horizon is empty')
  return {
    total: row.total,
    bots: row.bots,
    visitors: await visitorsOf(createDatabaseOn(client), filter.projectId, row, sketches),
    asOf: row.as_of,
    rolledUpBefore: { month: row.month, day: row.day, hour: row.hour },
  }
}

// PostgreSQL expects many rows of several targets and plans their statement for each question, which takes longer than executing it.
const ofTarget = { name: 'counts of a target', text: statement('target = $2::text') }
const ofTargets = { name: 'counts of targets', text: statement('target = any($2::text[])') }
const ofPrefix = { name: 'counts of targets with a prefix', text: statement('target ^@ $2::text') }

function formFor({ targets = [''], targetPrefix }: CountsFilter) {
  if (targetPrefix !== undefined) return { form: ofPrefix, targets: targetPrefix }
  return targets.length === 1 ? { form: ofTarget, targets: targets[0] } : { form: ofTargets, targets }
}

/** @param condition on `target`. Without a filter it is '', all targets together. */
function statement(condition: string): string {
  let parameter = 2
  const within = (column: string) => {
    parameter += 2
    return `${column} >= $${parameter - 1}::timestamptz and ${column} < $${parameter}::timestamptz`
  }
  const ofProject = `project_id = $1::int and ${condition}`
  const buckets = widths.flatMap((width) =>
    Array.from(
      { length: piecesOfWidth[width] },
      () => `
        select '${width}' as width, ${width} as start, target, total::bigint, bots::bigint,
          visitors, visitors_below, ${width === 'minute' ? 'null' : 'xmin'}::xid as version
        from ${width}_counters where ${ofProject} and ${within(width)}`,
    ),
  )
  const ofMinutes = (table: string, condition: string) => `
        select 'minute', minute, target, total, bots,
          visitors, case when cardinality(visitors) = 2048 then visitors[2048] end, null
        from ${table} where ${ofProject} and ${condition}`
  // With the bounds of the pieces of minutes, which are the last ones.
  const packed = Array.from({ length: piecesOfWidth.minute }, (_, at) => {
    const to = parameter - 2 * at
    const hours = `hour > $${to - 1}::timestamptz - interval '1 hour' and hour < $${to}::timestamptz`
    return ofMinutes(
      'packed_minutes',
      `${hours} and minute >= $${to - 1}::timestamptz and minute < $${to}::timestamptz`,
    )
  })
  const deltas = ofMinutes('counter_deltas', within('minute'))
  return `
    with chosen as materialized (${[...buckets, ...packed, deltas].join('\n        union all')}
    ), largest as (
      select min(visitors_below) as below from chosen
    ), sums as (
      select
        coalesce(sum(total), 0) as total, coalesce(sum(bots), 0) as bots, min(below) as below,
        json_agg(json_build_array(width, date_part('epoch', start) * 1000, target, version::text))
          filter (where version is not null) as lasting,
        string_agg(nullif(array_to_string(
          case when below is null then visitors else visitors[1:width_bucket(below, visitors)] end, ','), ''), ',')
          filter (where version is null) as fresh
      from chosen, largest
    )
    select
      sums.*, (${asOfQuery}) as as_of,
      date_part('epoch', months_before) * 1000 as month,
      date_part('epoch', days_before) * 1000 as day,
      date_part('epoch', hours_before) * 1000 as hour
    from sums, rollup_horizon`
}

/** The bounds of all pieces, and of the range for the deltas, in the order of the statement's parameters. */
function boundsOf(pieces: BucketPieces, range: Piece): string[] {
  const none = { fromMs: Infinity, toMs: -Infinity }
  const all = widths.flatMap((width) =>
    Array.from({ length: piecesOfWidth[width] }, (_, at) => pieces[width][at] ?? none),
  )
  return [...all, range].flatMap(({ fromMs, toMs }) => [timestampText(fromMs), timestampText(toMs)])
}
