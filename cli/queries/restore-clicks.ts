import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/**
 * Puts clicks of an archive back among the raw clicks, without counting them.
 *
 * @param page of the archive: whole lines
 * @param until after this time the janitor removes them again
 * @returns how many were not there
 * @throws the database error: 55000 if the clicks of this partition were not archived and removed
 */
export async function restoreClicks(
  db: Kysely<Tables>,
  projectId: number,
  partition: string,
  until: Date,
  page: Buffer,
): Promise<number> {
  const { rows } = await sql<{ restored: number }>`
    select restore_archived_clicks(${projectId}, ${partition}, ${until}, ${page}::text) as restored`.execute(db)
  return rows[0]?.restored ?? 0
}
