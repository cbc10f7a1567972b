import { type RawBuilder, sql } from 'kysely'
import type { CountsFilter } from '../counts-filter.ts'

/** The condition on `counters` that a filter stands for. */
export function countersWhere({ projectId, targets, fromMs, toMs }: CountsFilter): RawBuilder<boolean> {
  const conditions = [sql`project_id = ${projectId}`]
  if (targets !== undefined) conditions.push(sql`target = any(${targets}::text[])`)
  if (fromMs !== undefined) conditions.push(sql`minute >= ${new Date(fromMs)}`)
  if (toMs !== undefined) conditions.push(sql`minute < ${new Date(toMs)}`)
  return sql<boolean>`${sql.join(conditions, sql` and `)}`
}
