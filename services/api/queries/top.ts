import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { bucketPieces } from '../bucket-pieces.ts'
import { type CountsFilter, rangeOf } from '../counts-filter.ts'
import { countedRows } from './counted-rows.ts'
import type { RolledUpBefore } from './rollup-horizon.ts'

/** Where a page ended: the next begins behind this target of this total. */
export interface TopPosition {
  readonly total: number
  readonly target: string
}

export interface TargetCount {
  readonly target: string
  readonly total: number
  readonly bots: number
}

/** Targets by total, the most clicked first; equal ones by name. */
export async function top(
  db: Kysely<Tables>,
  filter: CountsFilter,
  rolledUpBefore: RolledUpBefore,
  limit: number,
  after: TopPosition | undefined,
): Promise<TargetCount[]> {
  const pieces = bucketPieces(rangeOf(filter), rolledUpBefore, 'month')
  const behind =
    after === undefined
      ? sql`true`
      : sql`(sum(total) < ${after.total} or (sum(total) = ${after.total} and target > ${after.target}))`
  const { rows } = await sql<TargetCount>`
    select target, sum(total) as total, sum(bots) as bots
    from (${countedRows(filter, pieces, false)}) as row
    group by target
    having ${behind}
    order by 2 desc, target
    limit ${limit}`.execute(db)
  return rows
}
