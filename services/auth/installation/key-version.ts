import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'

/**
 * Gives the keys a version that no service has seen. In a database that was restored from a backup the version may be that of keys which
 * running services, and the stream of snapshots, have got after the backup: they would refuse these as older ones.
 *
 * @throws the database error
 */
export async function renewKeyVersion(db: Kysely<Tables>): Promise<void> {
  // The trigger that advances the version runs for each statement, also for one that changes no row.
  await sql`update projects set name = name where false`.execute(db)
}
