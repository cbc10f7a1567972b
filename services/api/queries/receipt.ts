import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

export interface StoredClick {
  readonly target: string
  readonly occurred_at: Date
  readonly received_at: Date
  readonly counted_at: Date
}

export interface DeadClick {
  readonly reason: string
  readonly died_at: Date
}

/** The click as it was counted, if it was. */
export async function storedClick(db: Kysely<Tables>, projectId: number, id: string): Promise<StoredClick | undefined> {
  return await db
    .selectFrom('clicks')
    .select(['target', 'occurred_at', 'received_at', 'counted_at'])
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .executeTakeFirst()
}

/** Why the click was not counted, if it waits in the dead letters or was given up there. */
export async function deadClick(db: Kysely<Tables>, id: string): Promise<DeadClick | undefined> {
  return await db
    .selectFrom('dead_letters')
    .select(['reason', 'died_at'])
    .where(sql<boolean>`click_ids @> array[${id}]::uuid[]`)
    .where((where) => where.or([where('resolution', 'is', null), where('resolution', '=', 'discarded')]))
    .orderBy('id', 'desc')
    .executeTakeFirst()
}
