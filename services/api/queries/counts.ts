import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import type { CountsFilter } from '../counts-filter.ts'
import { countersWhere } from './counters-where.ts'

/** As many hashes as a visitor sketch holds (visitor_sketch_merge); fewer means that it holds every visitor. */
const sketchSize = 2_048
const hashSpace = 2 ** 31

/** Clicks of people, of bots, and different visitors, over the buckets of the filter. */
export async function counts(
  db: Kysely<Tables>,
  filter: CountsFilter,
): Promise<{ total: number; bots: number; visitors: number }> {
  const { rows } = await sql<{ total: number; bots: number; hashes: number; largest: number | null }>`
    with chosen as materialized (
      select total, bots, visitors from counters where ${countersWhere(filter)}
    ), sketch as (
      select distinct hash from chosen, unnest(chosen.visitors) as hash order by hash limit ${sketchSize}
    )
    select
      coalesce((select sum(total) from chosen), 0) as total,
      coalesce((select sum(bots) from chosen), 0) as bots,
      (select count(*) from sketch) as hashes,
      (select max(hash) from sketch) as largest`.execute(db)
  const { total = 0, bots = 0, hashes = 0, largest = null } = rows[0] ?? {}
  return { total, bots, visitors: estimateVisitors(hashes, largest) }
}

/**
 * How many different visitors a sketch stands for. When the k smallest of n evenly spread hashes reach up to a share of
 * the space, n is about (k - 1) / share; the standard error is 1/√k, 2.2 % here (Bar-Yossef et al., 2002).
 */
export function estimateVisitors(hashes: number, largest: number | null): number {
  if (hashes < sketchSize || largest === null) return hashes
  return Math.round(((hashes - 1) * hashSpace) / (largest + 1))
}
