import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { type LetterFilter, matching } from './matching-letters.ts'

export interface DeadLetter {
  readonly id: number
  readonly producer: string
  readonly sequence: number
  readonly reason: string
  readonly detail: string
  readonly died_at: Date
  readonly type: string | null
  readonly clicks: number
  readonly click_ids: readonly string[]
  readonly request_id: string | null
  readonly resolution: Tables['dead_letters']['resolution']
  readonly resolved_at: Date | null
  readonly bytes: number
  /** The content, or its first bytes if a limit was given. */
  readonly content: Buffer
}

/** Returns at most `limit` letters, newest first, optionally only those before `beforeId`. */
export async function deadLetters(
  db: Kysely<Tables>,
  filter: LetterFilter,
  limit: number,
  contentBytes: number,
  beforeId?: number,
): Promise<DeadLetter[]> {
  return await db
    .selectFrom('dead_letters')
    .select(['id', 'producer', 'sequence', 'reason', 'detail', 'died_at', 'type', 'clicks', 'click_ids'])
    .select(['request_id', 'resolution', 'resolved_at'])
    .select(sql<number>`octet_length(content)`.as('bytes'))
    .select(sql<Buffer>`substring(content from 1 for ${contentBytes}::int)`.as('content'))
    .where(matching(filter))
    .$if(beforeId !== undefined, (query) => query.where('id', '<', beforeId as number))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
}
