import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'

export interface PublicCounter {
  readonly project_id: number
  /** Null: all targets together. */
  readonly target: string | null
  /** Null: all clicks. */
  readonly days: number | null
  readonly label: string
}

export async function publicCounter(db: Kysely<Tables>, slug: string): Promise<PublicCounter | undefined> {
  return await db
    .selectFrom('public_counters')
    .select(['project_id', 'target', 'days', 'label'])
    .where('slug', '=', slug)
    .executeTakeFirst()
}
