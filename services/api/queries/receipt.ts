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

/** The click, if it was counted. */
export async function storedClick(db: Kysely<Tables>, projectId: number, id: string): Promise<StoredClick | undefined> {
  return await db
    .selectFrom('clicks')
    .select(['target', 'occurred_at', 'received_at', 'counted_at'])
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .executeTakeFirst()
}

/** Whether a click with this id may have been counted although it is not stored: raw clicks of that time were archived or removed. */
export async function isBeforeHorizon(db: Kysely<Tables>, projectId: number, id: string): Promise<boolean> {
  const { rows } = await sql<{ is_before: boolean }>`
    select exists (select from raw_clicks where kept_since > uuid_extract_timestamp(${id}::uuid))
      or exists (select from project_horizons
        where project_id = ${projectId} and kept_since > uuid_extract_timestamp(${id}::uuid)) as is_before`.execute(db)
  return rows[0]?.is_before === true
}

/** Why the click was not counted, if it is in the dead letters or was discarded. */
export async function deadClick(db: Kysely<Tables>, projectId: number, id: string): Promise<DeadClick | undefined> {
  return await db
    .selectFrom('dead_letters')
    .select(['reason', 'died_at'])
    .where(sql<boolean>`click_ids @> array[${id}]::uuid[]`)
    // 0 is a click whose project could not be read.
    .where(sql<boolean>`click_projects[array_position(click_ids, ${id}::uuid)] = ${projectId}`)
    .where((where) => where.or([where('resolution', 'is', null), where('resolution', '=', 'discarded')]))
    .orderBy('id', 'desc')
    .executeTakeFirst()
}
