import type { Tables } from '@clicktally/database/tables.ts'
import { type DeadLetter, maxListedIds } from '@clicktally/operations/dead-letter-operations.ts'
import { type Kysely, sql } from 'kysely'

export interface LetterChoice {
  readonly all: boolean
  readonly limit: number
  readonly before: number | undefined
}

/** Dead letters, the newest first, without their content, which this service's role cannot read. */
export async function deadLetters(db: Kysely<Tables>, { all, limit, before }: LetterChoice): Promise<DeadLetter[]> {
  const rows = await db
    .selectFrom('dead_letters')
    .select(['id', 'reason', 'died_at', 'clicks', 'resolution', 'resolved_at'])
    .select(sql<string[]>`click_ids[1:${sql.lit(maxListedIds)}]`.as('click_ids'))
    .$if(!all, (query) => query.where('resolution', 'is', null))
    .$if(before !== undefined, (query) => query.where('id', '<', before ?? 0))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ id, reason, died_at, clicks, click_ids, resolution, resolved_at }) => ({
    id,
    reason,
    diedAt: died_at.toISOString(),
    clicks,
    clickIds: click_ids,
    resolution,
    resolvedAt: resolved_at?.toISOString() ?? null,
  }))
}
