import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql, type Transaction } from 'kysely'

/** A visitor, in one project or in all of them. */
export interface Visitor {
  readonly visitorId: string
  readonly projectId: number | undefined
}

export interface VisitorClick {
  readonly id: string
  readonly projectId: number
  readonly target: string
  readonly minute: Date
  /** False for a bot, which is in no sketch of visitors. */
  readonly isCounted: boolean
}

/** Names of the partitions of clicks, the oldest first. */
export async function clickPartitions(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select inhrelid::regclass::text as name from pg_inherits where inhparent = 'clicks'::regclass order by 1`.execute(
    db,
  )
  return rows.map(({ name }) => name)
}

/** The size of a table in pages of 8 KiB. */
export async function pagesOf(db: Kysely<Tables>, table: string): Promise<number> {
  const { rows } = await sql<{ pages: number }>`
    select pg_relation_size(${table}::regclass) / current_setting('block_size')::bigint as pages`.execute(db)
  return rows[0]?.pages ?? 0
}

/** The clicks of a visitor in these pages of a partition; `toPage` is exclusive. */
export async function visitorClicks(
  db: Kysely<Tables>,
  partition: string,
  fromPage: number,
  toPage: number,
  { visitorId, projectId }: Visitor,
): Promise<VisitorClick[]> {
  const { rows } = await sql<VisitorClick>`
    select id, project_id as "projectId", target, minute, is_counted as "isCounted"
    from visitor_clicks(${partition}::regclass, ${fromPage}, ${toPage}, ${visitorId}, ${projectId ?? null})`.execute(db)
  return rows
}

/** Records the forgetting in the audit log. @returns the id of the entry */
export async function recordForgetting(
  db: Kysely<Tables>,
  { visitorId, projectId }: Visitor,
  operatorName: string,
): Promise<number> {
  const { rows } = await sql<{ entry: number }>`
    select record_forgetting(${visitorId}, ${projectId ?? null}, ${operatorName}) as entry`.execute(db)
  if (rows[0] === undefined) throw new Error('the audit log has no new entry')
  return rows[0].entry
}

/**
 * Removes the visitor from these clicks. Their counters must be corrected in the same transaction.
 *
 * @param entry of the audit log, from {@link recordForgetting}
 */
export async function forgetClicks(
  db: Kysely<Tables> | Transaction<Tables>,
  entry: number,
  visitorId: string,
  clicks: readonly VisitorClick[],
): Promise<void> {
  await sql`
    select forget_visitor_clicks(${entry}, ${visitorId},
      ${clicks.map(({ id }) => id)}::uuid[], ${clicks.map(({ projectId }) => projectId)}::int[])`.execute(db)
}

/** Folds every delta that is committed now, unless another session is folding. */
export async function foldDeltas(db: Kysely<Tables> | Transaction<Tables>): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ folded: number; set_aside: number }>`
      select folded, set_aside from fold_counter_deltas()`.execute(db)
    // A call folds at most 50,000. What comes in meanwhile is left to the processors.
    if ((rows[0]?.folded ?? 0) < 50_000 && rows[0]?.set_aside !== 1) return
  }
}
