import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { usageError } from '../../cli-error.ts'

/**
 * Returns the resolutions of these letters.
 *
 * @throws {CliError} that names those that do not exist
 */
export async function requireLetters(
  db: Kysely<Tables>,
  ids: readonly number[],
): Promise<{ id: number; resolution: Tables['dead_letters']['resolution'] }[]> {
  const letters = await db
    .selectFrom('dead_letters')
    .select(['id', 'resolution'])
    .where(sql<boolean>`id = any(${ids}::bigint[])`)
    .orderBy('id')
    .execute()
  const found = new Set(letters.map(({ id }) => id))
  const unknown = ids.filter((id) => !found.has(id))
  if (unknown.length > 0) {
    throw usageError(`There is no dead letter ${unknown.join(', ')}. "dead list --all" shows all of them.`)
  }
  return letters
}
