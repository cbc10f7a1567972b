import { bucketWidths } from '@clicktally/database/counter-buckets.ts'
import { type RawBuilder, sql } from 'kysely'
import type { CountsFilter } from '../request/counts-filter.ts'
import type { BucketPieces, Piece } from '../time/bucket-pieces.ts'

/**
 * The rows (width, start, target, total, bots, visitors, visitors_below, version) that match the filter: buckets of several widths,
 * and deltas that are not folded yet. Minutes have no version, because they keep changing. Exact in one statement, since a fold
 * moves clicks from deltas to buckets in one transaction.
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
  const rows = bucketWidths
    .filter((width) => pieces[width].length > 0)
    .flatMap((width) =>
      pieces[width].map(
        (piece) => sql`
          select
            ${sql.lit(width)} as width, ${sql.ref(width)} as start, target, total::bigint, bots::bigint,
            visitors, visitors_below, ${width === 'minute' ? sql`null` : sql`xmin::text`} as version
          from ${sql.table(`${width}_counters`)}
          where project_id = ${projectId} and ${ofTargets} and ${within(width, piece)}`,
      ),
    )
  return sql.join(
    [
      ...rows,
      sql`
        select
          'minute' as width, minute as start, target, total::bigint, bots::bigint,
          visitors, case when cardinality(visitors) = 2048 then visitors[2048] end as visitors_below, null as version
        from counter_deltas
        where project_id = ${projectId} and ${ofTargets} and ${within('minute', { fromMs, toMs })}`,
    ],
    sql` union all `,
  )
}

function within(column: string, { fromMs, toMs }: Piece): RawBuilder<unknown> {
  const start = sql.ref(column)
  const bounds = [sql`true`]
  if (Number.isFinite(fromMs)) bounds.push(sql`${start} >= ${new Date(fromMs)}`)
  if (Number.isFinite(toMs)) bounds.push(sql`${start} < ${new Date(toMs)}`)
  return sql.join(bounds, sql` and `)
}
