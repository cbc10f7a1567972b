import { bucketWidths, floorToBucket } from '@clicktally/database/counter-buckets.ts'
import { type RawBuilder, sql } from 'kysely'
import type { CountsFilter } from '../request/counts-filter.ts'
import type { BucketPieces, Piece } from '../time/bucket-pieces.ts'

/**
 * The rows (width, start, target, total, bots, visitors, visitors_below, version) that match the filter: buckets of several widths,
 * minutes that are packed in their hour, and deltas that are not folded yet. Minutes have no version, because they keep changing. Exact in
 * one statement, since folds and packing move clicks in one transaction.
 *
 * @param allTogether if the filter names no target: whether to read the rows of all targets together instead of each target's
 */
export function countedRows(filter: CountsFilter, pieces: BucketPieces, allTogether: boolean): RawBuilder<unknown> {
  const { projectId, targets, targetPrefix, fromMs = -Infinity, toMs = Infinity } = filter
  const ofTargets =
    targets !== undefined
      ? sql`target = any(${targets}::text[])`
      : targetPrefix !== undefined
        ? sql`target ^@ ${targetPrefix}`
        : allTogether
          ? sql`target = ''`
          : sql`target <> ''`
  const chosen = sql`project_id = ${projectId} and ${ofTargets}`
  const buckets = bucketWidths
    .filter((width) => pieces[width].length > 0)
    .flatMap((width) =>
      pieces[width].map(
        (piece) => sql`
          select
            ${sql.lit(width)} as width, ${sql.ref(width)} as start, target, total::bigint, bots::bigint,
            visitors, visitors_below, ${width === 'minute' ? sql`null` : sql`xmin::text`} as version
          from ${sql.table(`${width}_counters`)}
          where ${chosen} and ${within(width, piece)}`,
      ),
    )
  const packed = pieces.minute.map((piece) =>
    ofMinutes('packed_minutes', sql`${chosen} and ${hoursOf(piece)} and ${within('minute', piece)}`),
  )
  const deltas = ofMinutes('counter_deltas', sql`${chosen} and ${within('minute', { fromMs, toMs })}`)
  return sql.join([...buckets, ...packed, deltas], sql` union all `)
}

function ofMinutes(table: string, condition: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select
      'minute' as width, minute as start, target, total::bigint, bots::bigint,
      visitors, case when cardinality(visitors) = 2048 then visitors[2048] end as visitors_below, null as version
    from ${sql.table(table)} where ${condition}`
}

/** The hours in which these minutes are packed. */
function hoursOf({ fromMs, toMs }: Piece): RawBuilder<unknown> {
  return within('hour', { fromMs: floorToBucket(fromMs, 'hour'), toMs })
}

function within(column: string, { fromMs, toMs }: Piece): RawBuilder<unknown> {
  const start = sql.ref(column)
  const bounds = [sql`true`]
  if (Number.isFinite(fromMs)) bounds.push(sql`${start} >= ${new Date(fromMs)}`)
  if (Number.isFinite(toMs)) bounds.push(sql`${start} < ${new Date(toMs)}`)
  return sql.join(bounds, sql` and `)
}
