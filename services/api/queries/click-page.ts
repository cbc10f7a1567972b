import type { IdRange } from '@clicktally/database/partition-ids.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { DimensionRow } from '@clicktally/dimensions/dimensions.ts'
import { storedFields } from '@clicktally/event/event-fields.ts'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { ClickConditions } from '../clicks/click-conditions.ts'
import type { CountsFilter } from '../request/counts-filter.ts'

/** A row of `clicks`: the values of the columns that were read. */
export type ClickRow = { readonly id: string } & Readonly<Record<string, unknown>>

export interface ClickQuery {
  readonly filter: CountsFilter
  readonly conditions?: ClickConditions | undefined
  /** A credential of an auditor or owner. With it, personal data is read too. */
  readonly credential?: string | undefined
}

export interface ClickPage {
  /** The clicks that meet the conditions. They may have further columns. */
  readonly rows: readonly ClickRow[]
  /** The id of the last click that was read, if there may be more behind it. */
  readonly readThrough: string | undefined
}

/** Reads at most `limit` clicks of the filter with ids between two bounds, in the order of their ids. */
export async function clickPage(
  db: Kysely<Tables>,
  { filter, conditions, credential }: ClickQuery,
  range: IdRange,
  order: 'asc' | 'desc',
  limit: number,
): Promise<ClickPage> {
  const columns = new Set([...columnsFor(credential !== undefined), ...(conditions?.sources ?? [])])
  const { rows: read } = await sql<ClickRow>`
    select ${sql.join([...columns].map((name) => sql.ref(name)))} from clicks
    where ${within(filter, range)} order by id ${sql.raw(order)} limit ${limit}`.execute(db)
  const readThrough = read.length < limit ? undefined : read.at(-1)?.id
  const rows =
    conditions === undefined ? read : read.filter((row) => conditions.matches(row as unknown as DimensionRow))
  if (credential === undefined || rows.length === 0) return { rows, readThrough }
  return { rows: await withVisitors(db, filter.projectId, credential, rows), readThrough }
}

/** Whether any click between these ids is in the time range of the filter. */
export async function hasClicks(db: Kysely<Tables>, filter: CountsFilter, range: IdRange): Promise<boolean> {
  if (filter.fromMs === undefined && filter.toMs === undefined) return true
  const inTime = { projectId: filter.projectId, targets: undefined, fromMs: filter.fromMs, toMs: filter.toMs }
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from clicks where ${within(inTime, range)}) as found`.execute(db)
  return rows[0]?.found === true
}

function within(filter: CountsFilter, { fromId, toId }: IdRange): RawBuilder<unknown> {
  const { projectId, targets, targetPrefix, fromMs, toMs } = filter
  const all = [sql`project_id = ${projectId}`, sql`id > ${fromId}::uuid`, sql`id < ${toId}::uuid`]
  if (targets !== undefined) all.push(sql`target = any(${targets}::text[])`)
  if (targetPrefix !== undefined) all.push(sql`target ^@ ${targetPrefix}`)
  if (fromMs !== undefined) all.push(sql`occurred_at >= ${new Date(fromMs)}`)
  if (toMs !== undefined) all.push(sql`occurred_at < ${new Date(toMs)}`)
  return sql.join(all, sql` and `)
}

/** The columns that are read directly: visitors are read by withVisitors(). */
function columnsFor(isPersonal: boolean): string[] {
  const ofFields = storedFields.filter((field) => !field.isPersonal || (isPersonal && field.name !== 'visitorId'))
  return [...ofFields.map(({ column }) => column), 'received_at', 'counted_at']
}

async function withVisitors(
  db: Kysely<Tables>,
  projectId: number,
  credential: string,
  rows: readonly ClickRow[],
): Promise<ClickRow[]> {
  const found = await sql<{ id: string; visitor_id: string }>`
    select * from click_visitors(${credential}, ${projectId}, ${rows.map(({ id }) => id)}::uuid[])`.execute(db)
  const visitorOf = new Map(found.rows.map(({ id, visitor_id }) => [id, visitor_id]))
  return rows.map((row) => ({ ...row, visitor_id: visitorOf.get(row.id) ?? null }))
}
