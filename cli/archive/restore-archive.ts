import { readContent } from '@clicktally/archive/archive-content.ts'
import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import type { Manifest } from '@clicktally/archive/manifest.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { restoreClicks } from '../queries/restore-clicks.ts'

/**
 * Puts the clicks of an archive back among the raw clicks, without counting them. Reads it twice: once to see that it is not damaged,
 * before a click of it is used.
 *
 * @param until after this time the janitor removes them again
 * @returns how many were not there
 * @throws an error that names the archive, or the database error; what was put back stays, and may be put back again
 */
export async function restoreArchive(
  db: Kysely<Tables>,
  store: ArchiveStore,
  manifest: Manifest,
  until: Date,
): Promise<number> {
  const { project, partition } = manifest
  for await (const _ of readContent(store, manifest));
  let restored = 0
  let restoring = Promise.resolve(0)
  for await (const page of readContent(store, manifest)) {
    restored += await restoring
    restoring = restoreClicks(db, project.id, partition, until, page)
    // Awaited after the next page was read, or by nobody if that fails.
    restoring.catch(() => {})
  }
  return restored + (await restoring)
}
