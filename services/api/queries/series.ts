import { type BucketWidth, bucketWidths, floorToBucket } from '@clicktally/database/counter-buckets.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { CountsFilter } from '../request/counts-filter.ts'
import { bucketPieces } from '../time/bucket-pieces.ts'
import type { SketchCache } from '../visitors/sketch-cache.ts'
import { countedRows } from './counted-rows.ts'
import type { RolledUpBefore } from './counter-state.ts'
import { groupedCounts } from './grouped-counts.ts'

export interface SeriesFilter extends CountsFilter {
  readonly fromMs: number
  readonly toMs: number
}

export interface Point {
  readonly startMs: number
  readonly endMs: number
  readonly total: number
  readonly bots: number
  readonly visitors?: number
}

/**
 * Counts the clicks between each two neighbours of `edges` (milliseconds since 1970) and in the range of the filter: if the range
 * begins or ends inside a bucket, only the part in the range is counted.
 *
 * @param sketches if distinct visitors are counted too
 */
export async function series(
  db: Kysely<Tables>,
  filter: SeriesFilter,
  rolledUpBefore: RolledUpBefore,
  edges: readonly number[],
  sketches?: SketchCache,
): Promise<Point[]> {
  const pieces = bucketPieces(filter, rolledUpBefore, widestBucket(edges.slice(1, -1)))
  const starts = edges.slice(0, -1).map((edge) => new Date(edge))
  const rows = countedRows(filter, pieces, true)
  // width_bucket() numbers from 1.
  const bucketOf = sql<number>`width_bucket(row.start, ${starts}::timestamptz[]) - 1`
  const counted =
    sketches === undefined
      ? await groupedTotals(db, rows, bucketOf)
      : await groupedCounts(db, filter.projectId, rows, bucketOf, sketches)
  const countOf = new Map(counted.map(({ group, ...count }) => [group, count]))
  const none = { total: 0, bots: 0, ...(sketches !== undefined && { visitors: 0 }) }
  return edges
    .slice(0, -1)
    .map((startMs, bucket) => ({ startMs, endMs: edges[bucket + 1] as number, ...(countOf.get(bucket) ?? none) }))
}

async function groupedTotals(db: Kysely<Tables>, rows: RawBuilder<unknown>, group: RawBuilder<number>) {
  const found = await sql<{ group: number; total: number; bots: number }>`
    select ${group} as "group", sum(total) as total, sum(bots) as bots from (${rows}) as row group by 1`.execute(db)
  return found.rows
}

/** The widest counters of which each lies within one bucket of the series: an hour in UTC may overlap two hours in India. */
function widestBucket(innerEdges: readonly number[]): BucketWidth {
  const isEdge = (width: BucketWidth) => innerEdges.every((edge) => floorToBucket(edge, width) === edge)
  return bucketWidths.find(isEdge) ?? 'minute'
}
