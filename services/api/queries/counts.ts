import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type CountsFilter, rangeOf } from '../request/counts-filter.ts'
import { bucketPieces } from '../time/bucket-pieces.ts'
import type { SketchCache } from '../visitors/sketch-cache.ts'
import { countVisitors } from '../visitors/visitor-union.ts'
import { countedRows } from './counted-rows.ts'
import type { RolledUpBefore } from './counter-state.ts'
import type { SketchKey } from './sketches-of.ts'

/** A sketch with this many hashes is full: it may lack larger ones (visitor_sketch_merge). */
const sketchSize = 2_048

export interface CountsOfGroup<Group> {
  readonly group: Group
  readonly total: number
  readonly bots: number
  readonly visitors: number
}

interface Row<Group> {
  group: Group
  total: number
  bots: number
  /** The minimum over the largest hashes of full sketches. */
  below: number | null
  /** Distinct sorted hashes of visitors in rows that keep changing, up to `below`. */
  fresh: number[] | null
  /** The rows of the other sketches. */
  lasting: [width: SketchKey['width'], startMs: number, target: string, version: string][] | null
}

/** Clicks by people, clicks by bots, and distinct visitors in the buckets of the filter. */
export async function counts(
  db: Kysely<Tables>,
  filter: CountsFilter,
  rolledUpBefore: RolledUpBefore,
  sketches: SketchCache,
): Promise<{ total: number; bots: number; visitors: number }> {
  const pieces = bucketPieces(rangeOf(filter), rolledUpBefore, 'month')
  const rows = countedRows(filter, pieces, true)
  const [all] = await groupedCounts(db, filter.projectId, rows, sql<number>`0`, sketches)
  const { total = 0, bots = 0, visitors = 0 } = all ?? {}
  return { total, bots, visitors }
}

/**
 * The same for each group of rows that has any.
 *
 * @param rows of countedRows()
 * @param group an expression over such a row, never null
 */
export async function groupedCounts<Group>(
  db: Kysely<Tables>,
  projectId: number,
  rows: RawBuilder<unknown>,
  group: RawBuilder<Group>,
  sketches: SketchCache,
): Promise<CountsOfGroup<Group>[]> {
  const { rows: groups } = await sql<Row<Group>>`
    with chosen as materialized (
      select ${group} as "group", row.* from (${rows}) as row
    ), sums as (
      select
        "group", sum(total) as total, sum(bots) as bots, min(visitors_below) as below,
        json_agg(json_build_array(width, extract(epoch from start) * 1000, target, version))
          filter (where version is not null) as lasting
      from chosen group by "group"
    ), fresh as (
      select "group", json_agg(distinct hash) as fresh -- distinct sorts
      from (
        select
          "group",
          unnest(case when below is null then visitors else visitors[1:width_bucket(below, visitors)] end) as hash
        from chosen join sums using ("group")
        where version is null
      ) as visitor
      group by "group"
    )
    select *
    from sums left join fresh using ("group")`.execute(db)
  const keysOf = ({ lasting }: Row<Group>) =>
    (lasting ?? []).map(([width, startMs, target, version]) => ({ width, startMs, target, version }))
  // One query for all that the cache lacks, instead of one for each group.
  if (groups.length > 1) await sketches.get(db, projectId, groups.flatMap(keysOf))
  const counted: CountsOfGroup<Group>[] = []
  for (const row of groups) {
    const kept = await sketches.get(db, projectId, keysOf(row))
    // They may be newer than the chosen rows, with a smaller largest hash.
    const full = kept.filter(({ length }) => length >= sketchSize).map((hashes) => hashes.at(-1) ?? 0)
    const limit = Math.min(row.below ?? Infinity, ...full)
    const visitors = countVisitors([row.fresh ?? [], ...kept], Number.isFinite(limit) ? limit : null)
    counted.push({ group: row.group, total: row.total, bots: row.bots, visitors })
  }
  return counted
}
