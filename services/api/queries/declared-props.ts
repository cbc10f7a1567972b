import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'

/** The names of the props that a project has declared as dimensions. */
export async function declaredProps(db: Kysely<Tables>, projectId: number): Promise<readonly string[]> {
  const project = await db.selectFrom('projects').select('dimensions').where('id', '=', projectId).executeTakeFirst()
  return project?.dimensions ?? []
}
