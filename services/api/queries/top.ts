import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { type CountsFilter, rangeOf } from '../request/counts-filter.ts'
import type { Position } from '../request/cursor.ts'
import { bucketPieces } from '../time/bucket-pieces.ts'
import type { SketchCache } from '../visitors/sketch-cache.ts'
import { countedRows } from './counted-rows.ts'
import type { RolledUpBefore } from './counter-state.ts'
import { groupedCounts } from './grouped-counts.ts'

export interface TargetCount {
  readonly target: string
  readonly total: number
  readonly bots: number
}

/** Adds distinct visitors to a page of targets. */
export async function withVisitors(
  db: Kysely<Tables>,
  filter: CountsFilter,
  rolledUpBefore: RolledUpBefore,
  page: readonly TargetCount[],
  sketches: SketchCache,
): Promise<(TargetCount & { visitors: number })[]> {
  const ofPage = { ...filter, targets: page.map(({ target }) => target), targetPrefix: undefined }
  const rows = countedRows(ofPage, bucketPieces(rangeOf(filter), rolledUpBefore, 'month'), false)
  const counted = await groupedCounts(db, filter.projectId, rows, sql<string>`row.target`, sketches)
  const visitorsOf = new Map(counted.map(({ group, visitors }) => [group, visitors]))
  return page.map((target) => ({ ...target, visitors: visitorsOf.get(target.target) ?? 0 }))
}

/** Adds the clicks on each target of a page in another range. */
export async function withComparison<Target extends TargetCount>(
  db: Kysely<Tables>,
  compared: CountsFilter,
  rolledUpBefore: RolledUpBefore,
  page: readonly Target[],
): Promise<(Target & { comparison: Omit<TargetCount, 'target'> })[]> {
  const ofPage = { ...compared, targets: page.map(({ target }) => target), targetPrefix: undefined }
  const counted = await top(db, ofPage, rolledUpBefore, page.length, undefined)
  const countOf = new Map(counted.map(({ target, ...count }) => [target, count]))
  return page.map((target) => ({ ...target, comparison: countOf.get(target.target) ?? { total: 0, bots: 0 } }))
}

/** Targets by total, the most clicked first; ties by name. */
export async function top(
  db: Kysely<Tables>,
  filter: CountsFilter,
  rolledUpBefore: RolledUpBefore,
  limit: number,
  after: Position | undefined,
): Promise<TargetCount[]> {
  const pieces = bucketPieces(rangeOf(filter), rolledUpBefore, 'month')
  const behind =
    after === undefined
      ? sql`true`
      : sql`(sum(total) < ${after.total} or (sum(total) = ${after.total} and target > ${after.value}))`
  const { rows } = await sql<TargetCount>`
    select target, sum(total) as total, sum(bots) as bots
    from (${countedRows(filter, pieces, false)}) as row
    group by target
    having ${behind}
    order by 2 desc, target
    limit ${limit}`.execute(db)
  return rows
}
