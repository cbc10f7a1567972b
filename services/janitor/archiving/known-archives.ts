import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import { archivePrefix, isManifest, prefixOf } from '@clicktally/archive/manifest.ts'
import type { PoolClient } from 'pg'

interface KnownArchive {
  readonly projectId: number
  readonly partition: string
  readonly file: string
}

/**
 * The archives whose clicks are gone from the database, the one that was written last first.
 *
 * @param atMost default: all
 */
async function knownArchives(client: PoolClient, atMost?: number): Promise<KnownArchive[]> {
  const { rows } = await client.query<KnownArchive>(
    `select project_id as "projectId", partition, file from archives
     where file is not null and given_up_at is not null order by given_up_at desc limit $1`,
    [atMost ?? null],
  )
  return rows
}

/** Whether an archive was ever begun: before that no file is written. */
export async function hasBegunArchives(client: PoolClient): Promise<boolean> {
  const { rows } = await client.query<{ has: boolean }>('select exists (select from archives) as has')
  return rows[0]?.has === true
}

/**
 * Makes sure that this is the place of the archives, and not an empty folder where a disk is not mounted, or another bucket. What is written
 * there next could be lost.
 *
 * @throws {Error} if the archive that was written last is not there
 */
export async function requireLatestArchive(client: PoolClient, store: ArchiveStore): Promise<void> {
  const [latest] = await knownArchives(client, 1)
  if (latest === undefined) return
  const names = await store.list(archivePrefix(latest.projectId, latest.partition))
  if (!names.some(isManifest)) throw missing(store, latest)
}

/**
 * Makes sure that all archives of these projects are there: otherwise a visitor would be taken for removed from them.
 *
 * @param names of all files there
 * @throws {Error} that names one that is missing
 */
export async function requireArchives(
  client: PoolClient,
  store: ArchiveStore,
  names: readonly string[],
  isConcerned: (projectId: number) => boolean,
): Promise<void> {
  const described = new Set(names.filter(isManifest).map(prefixOf))
  for (const archive of await knownArchives(client)) {
    // By its project and partition: of a file that was written anew the name may not be recorded yet.
    const isThere = described.has(archivePrefix(archive.projectId, archive.partition))
    if (!isThere && isConcerned(archive.projectId)) throw missing(store, archive)
  }
}

function missing(store: ArchiveStore, { file }: KnownArchive): Error {
  return new Error(
    `The archive ${file} is not in ${store.description}. Is its disk mounted, and is ARCHIVE_URL the place of all earlier archives? If it was deleted on purpose, docs/operations.md says how to record that.`,
  )
}
