import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { type CountsFilter, rangeOf } from '../request/counts-filter.ts'
import { bucketPieces } from '../time/bucket-pieces.ts'
import { countedRows } from './counted-rows.ts'
import type { RolledUpBefore } from './counter-state.ts'

/** Clicks by people in the buckets of the filter, without visitors, which would take longer. */
export async function total(db: Kysely<Tables>, filter: CountsFilter, rolledUpBefore: RolledUpBefore): Promise<number> {
  const rows = countedRows(filter, bucketPieces(rangeOf(filter), rolledUpBefore, 'month'), true)
  const { rows: sums } = await sql<{ total: number }>`
    select coalesce(sum(total), 0)::bigint as total from (${rows}) as row`.execute(db)
  return sums[0]?.total ?? 0
}
