import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import { archivePrefix, isManifest, type Manifest, manifestOf, readManifest } from '@clicktally/archive/manifest.ts'
import type { Logger } from 'pino'
import type { DueClicks } from './archive-table.ts'

type Place = Pick<DueClicks, 'projectId' | 'partition'>
/** What all attempts of one database have in common: they begin when the partition is closed. Only visitors are forgotten afterwards. */
type SameClicks = Pick<Manifest, 'clicks' | 'firstId' | 'lastId'>

/**
 * The files of other attempts at an archive.
 *
 * @param file of this attempt
 * @throws {Error} that names the manifest, if there is an archive of other clicks. It may be the only copy of them: of this database before it
 *   was restored from a backup, or of another one.
 */
export async function otherAttempts(
  store: ArchiveStore,
  { projectId, partition }: Place,
  file: string,
  { clicks, firstId, lastId }: SameClicks,
): Promise<string[]> {
  const names = await store.list(archivePrefix(projectId, partition))
  const others = names.filter((name) => name !== file && name !== manifestOf(file))
  for (const name of others.filter(isManifest)) {
    const other = await readManifest(store, name)
    if (other.clicks === clicks && other.firstId === firstId && other.lastId === lastId) continue
    throw new Error(
      `${name} in ${store.description} describes ${other.clicks} clicks of project ${projectId} in ${partition}, and the database has ${clicks} others. The file may be the only copy, as when the database was restored from a backup, or be the archive of another database. Nothing was removed. Move both files of it elsewhere, or give this database another ARCHIVE_URL.`,
    )
  }
  return others
}

/** Whether an archive that was verified is still there, with its manifest. */
export async function isStored(store: ArchiveStore, { projectId, partition }: Place, file: string): Promise<boolean> {
  const names = await store.list(archivePrefix(projectId, partition))
  return names.includes(file) && names.includes(manifestOf(file))
}

/**
 * Removes the files of earlier attempts, which have visitors who were forgotten since.
 *
 * @param file that was verified
 * @throws {Error} if it is not there, or see {@link otherAttempts}; then nothing was removed
 */
export async function removeEarlierAttempts(
  store: ArchiveStore,
  place: Place,
  file: string,
  logger: Logger,
): Promise<void> {
  if (!(await isStored(store, place, file))) {
    throw new Error(`The archive ${file} is no longer in ${store.description}. The next run writes it again.`)
  }
  const kept = await readManifest(store, manifestOf(file))
  for (const name of await otherAttempts(store, place, file, kept)) {
    await store.remove(name)
    logger.info({ file: name }, 'file of an earlier attempt removed')
  }
}
