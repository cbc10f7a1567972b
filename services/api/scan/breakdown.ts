import { otherId } from '@clicktally/columns/dimension-ids.ts'
import { type Count, GroupCounts } from '@clicktally/columns/group-counts.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { Position } from '../request/cursor.ts'
import { VisitorSets } from '../visitors/visitor-sets.ts'
import type { Scan } from './scan.ts'
import type { ValueIds } from './value-ids.ts'

export interface ValueCount extends Position {
  readonly bots: number
  readonly visitors?: number
}

export interface Breakdown {
  /** By total, the most clicked first; ties by value. `''` is the value of clicks that have none. */
  readonly values: readonly ValueCount[]
  readonly hasMore: boolean
  /** All clicks that were chosen. */
  readonly sum: Readonly<Count>
  /** Those of them whose value has no id of its own. */
  readonly other: Readonly<Count>
}

export interface Page {
  readonly limit: number
  readonly after: Position | undefined
  readonly visitors: boolean
}

/** The clicks of a question by the values of a dimension. */
export async function breakDown(
  scan: Scan,
  db: Kysely<Tables>,
  dimension: string,
  { limit, after, visitors }: Page,
): Promise<Breakdown> {
  const counts = new GroupCounts()
  await scan.read((part, mask) => counts.add(part.rows, mask, part.column(dimension), part.bots()))
  await scan.addSums(counts)
  const ids = scan.idsOf(dimension)
  counts.rename(await ids.resolve(db))
  const { sum } = counts
  const found = await valuesOfPage(db, ids, counts, limit + 1, after)
  const page = found.slice(0, limit)
  return {
    values: visitors ? await withVisitors(page) : page.map(({ id: _, ...count }) => count),
    hasMore: found.length > limit,
    sum,
    other: counts.get(otherId) ?? { total: 0, bots: 0 },
  }

  /** Reads the clicks again, so that only visitors of the page are held. */
  async function withVisitors(page: readonly (ValueCount & { id: number })[]): Promise<ValueCount[]> {
    const sets = new VisitorSets(new Set(page.map(({ id }) => id)))
    await scan.read((part, mask) => sets.add(part.rows, mask, part.column(dimension), part.visitors()))
    return page.map(({ id, ...count }) => ({ ...count, visitors: sets.count(id) }))
  }
}

/** The first values behind a position. Looks up only the values that may be among them. */
async function valuesOfPage(
  db: Kysely<Tables>,
  ids: ValueIds,
  counts: GroupCounts,
  limit: number,
  after: Position | undefined,
): Promise<(ValueCount & { id: number })[]> {
  const candidates = [...counts.counts]
    .filter(([id, { total }]) => id !== otherId && (after === undefined || total <= after.total))
    .sort(([, a], [, b]) => b.total - a.total)
  const tied = candidates.findIndex(([, { total }]) => total !== after?.total)
  const last = candidates[(tied === -1 ? candidates.length : tied) + limit - 1]?.[1].total ?? -1
  const nearby = candidates.filter(([, { total }]) => total >= last)
  const values = await ids.valuesOf(
    db,
    nearby.map(([id]) => id),
  )
  return nearby
    .map(([id, { total, bots }]) => ({ id, value: values.get(id) ?? '', total, bots }))
    .filter(({ total, value }) => after === undefined || total < after.total || value > after.value)
    .sort((a, b) => b.total - a.total || (a.value < b.value ? -1 : 1))
    .slice(0, limit)
}
