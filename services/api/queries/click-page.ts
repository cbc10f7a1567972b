import type { IdRange } from '@clicktally/database/partition-ids.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { storedFields } from '@clicktally/event/event-fields.ts'
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { CountsFilter } from '../request/counts-filter.ts'

/** A row of `clicks`: the values of the columns that were read. */
export type ClickRow = { readonly id: string } & Readonly<Record<string, unknown>>

export interface ClickQuery {
  readonly filter: CountsFilter
  /** A credential of an auditor or owner. With it, personal data is read too. */
  readonly credential?: string | undefined
}

/** Clicks of the filter with ids between two bounds, in the order of their ids. */
export async function clickPage(
  db: Kysely<Tables>,
  { filter, credential }: ClickQuery,
  range: IdRange,
  order: 'asc' | 'desc',
  limit: number,
): Promise<ClickRow[]> {
  const { rows } = await sql<ClickRow>`
    select ${sql.join(columns(credential !== undefined).map((name) => sql.ref(name)))} from clicks
    where ${conditions(filter, range)} order by id ${sql.raw(order)} limit ${limit}`.execute(db)
  return credential === undefined || rows.length === 0
    ? rows
    : await withVisitors(db, filter.projectId, credential, rows)
}

/** Whether any click between these ids is in the time range of the filter. */
export async function hasClicks(db: Kysely<Tables>, filter: CountsFilter, range: IdRange): Promise<boolean> {
  if (filter.fromMs === undefined && filter.toMs === undefined) return true
  const inTime = { projectId: filter.projectId, targets: undefined, fromMs: filter.fromMs, toMs: filter.toMs }
  const { rows } = await sql<{ found: boolean }>`
    select exists (select from clicks where ${conditions(inTime, range)}) as found`.execute(db)
  return rows[0]?.found === true
}

function conditions(filter: CountsFilter, { fromId, toId }: IdRange): RawBuilder<unknown> {
  const { projectId, targets, targetPrefix, fromMs, toMs } = filter
  const all = [sql`project_id = ${projectId}`, sql`id > ${fromId}::uuid`, sql`id < ${toId}::uuid`]
  if (targets !== undefined) all.push(sql`target = any(${targets}::text[])`)
  if (targetPrefix !== undefined) all.push(sql`target ^@ ${targetPrefix}`)
  if (fromMs !== undefined) all.push(sql`occurred_at >= ${new Date(fromMs)}`)
  if (toMs !== undefined) all.push(sql`occurred_at < ${new Date(toMs)}`)
  return sql.join(all, sql` and `)
}

/** The columns that are read directly: visitors are read by withVisitors(). */
function columns(isPersonal: boolean): string[] {
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
