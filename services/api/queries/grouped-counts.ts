import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { SketchCache } from '../visitors/sketch-cache.ts'
import { sketchKeys, type VisitorsOfRows, visitorsOf } from '../visitors/visitors-of.ts'

export interface CountsOfGroup<Group> {
  readonly group: Group
  readonly total: number
  readonly bots: number
  readonly visitors: number
}

interface Row<Group> extends VisitorsOfRows {
  readonly group: Group
  readonly total: number
  readonly bots: number
}

/**
 * Clicks by people, clicks by bots, and distinct visitors for each group of rows that has any.
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
        json_agg(json_build_array(width, date_part('epoch', start) * 1000, target, version))
          filter (where version is not null) as lasting
      from chosen group by "group"
    ), fresh as (
      select "group", string_agg(nullif(array_to_string(
        case when below is null then visitors else visitors[1:width_bucket(below, visitors)] end, ','), ''), ',') as fresh
      from chosen join sums using ("group")
      where version is null
      group by "group"
    )
    select *
    from sums left join fresh using ("group")`.execute(db)
  // One query for all that the cache lacks, instead of one for each group.
  const keys = groups.flatMap(({ lasting }) => sketchKeys(lasting))
  if (groups.length > 1) await sketches.get(db, projectId, keys)
  const counted: CountsOfGroup<Group>[] = []
  for (const { group, total, bots, ...row } of groups)
    counted.push({ group, total, bots, visitors: await visitorsOf(db, projectId, row, sketches) })
  return counted
}
