import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { bucketPieces } from '../bucket-pieces.ts'
import { type CountsFilter, rangeOf } from '../counts-filter.ts'
import type { KeptSketches, SketchKey } from '../kept-sketches.ts'
import { countVisitors } from '../visitor-union.ts'
import { countedRows } from './counted-rows.ts'
import type { RolledUpBefore } from './rollup-horizon.ts'

/** A sketch of so many hashes is not complete (visitor_sketch_merge). */
const sketchSize = 2_048

interface Row {
  total: number
  bots: number
  /** The lowest of the full sketches' largest hashes. */
  below: number | null
  /** Different visitors' hashes of what changes all the time, up to `below`, sorted. */
  fresh: number[] | null
  /** Where the other sketches are. */
  lasting: [width: SketchKey['width'], startMs: number, target: string, version: string][] | null
}

/** Clicks of people, of bots, and different visitors, over the buckets of the filter. */
export async function counts(
  db: Kysely<Tables>,
  filter: CountsFilter,
  rolledUpBefore: RolledUpBefore,
  sketches: KeptSketches,
): Promise<{ total: number; bots: number; visitors: number }> {
  const pieces = bucketPieces(rangeOf(filter), rolledUpBefore, 'month')
  const { rows } = await sql<Row>`
    with chosen as materialized (
      select * from (${countedRows(filter, pieces, true)}) as row
    ), sums as (
      select coalesce(sum(total), 0) as total, coalesce(sum(bots), 0) as bots, min(visitors_below) as below from chosen
    )
    select total, bots, below, (
      -- distinct sorts.
      select json_agg(distinct hash)
      from (
        select unnest(case when below is null then visitors else visitors[1:width_bucket(below, visitors)] end) as hash
        from chosen where version is null
      ) as visitor
    ) as fresh, (
      select json_agg(json_build_array(width, extract(epoch from start) * 1000, target, version))
      from chosen where version is not null
    ) as lasting
    from sums`.execute(db)
  const { total = 0, bots = 0, below = null, fresh, lasting } = rows[0] ?? {}
  const keys = (lasting ?? []).map(([width, startMs, target, version]) => ({ width, startMs, target, version }))
  const kept = await sketches.of(db, filter.projectId, keys)
  // They may be newer than what was chosen, and reach less far.
  const full = kept.filter(({ length }) => length >= sketchSize).map((hashes) => hashes.at(-1) ?? 0)
  const limit = Math.min(below ?? Infinity, ...full)
  return { total, bots, visitors: countVisitors([fresh ?? [], ...kept], Number.isFinite(limit) ? limit : null) }
}
