import { type ArchiveSettings, openArchiveStore } from '@clicktally/archive/archive-settings.ts'
import { type ArchiveStore, ArchiveUnavailable } from '@clicktally/archive/archive-store.ts'
import { listArchives, type Manifest } from '@clicktally/archive/manifest.ts'
import { InvalidArgumentError } from 'commander'
import { CliError, usageError } from '../cli-error.ts'

export interface ArchiveChoice {
  readonly project?: string
  readonly from?: string
  readonly to?: string
}

/**
 * Opens the place of the archives for `use`, and closes it afterwards.
 *
 * @throws {CliError} if none is configured, or it fails
 */
export async function withArchives<Result>(
  { place, s3 }: ArchiveSettings,
  use: (store: ArchiveStore) => Promise<Result>,
): Promise<Result> {
  if (place === undefined) {
    throw usageError(
      'ARCHIVE_URL is not set: where the janitor archives raw clicks, such as file:///archive (see .env.example).',
    )
  }
  const store = await openArchiveStore(place, s3)
  try {
    return await use(store)
  } catch (error) {
    throw error instanceof ArchiveUnavailable ? new CliError(error.message, 1, { cause: error }) : error
  } finally {
    store.close()
  }
}

/** The archives that were chosen, by project and partition. @throws {CliError} if a manifest is damaged */
export async function* chosenArchives(
  store: ArchiveStore,
  { project, from = '', to = '9' }: ArchiveChoice,
): AsyncGenerator<Manifest> {
  try {
    for await (const manifest of listArchives(store)) {
      const { partition } = manifest
      const first = dayOf(partition)
      if ((project === undefined || manifest.project.name === project) && first >= from && first < to) yield manifest
    }
  } catch (error) {
    throw new CliError((error as Error).message, 1, { cause: error })
  }
}

/** The first day of a partition, such as 2026-11-28. */
export function dayOf(partition: string): string {
  return partition.replace(/^clicks_(\d{4})(\d\d)(\d\d)?$/, (_, year, month, day = '01') => `${year}-${month}-${day}`)
}

export function day(text: string): string {
  if (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))) return text
  throw new InvalidArgumentError('Expected a day, such as 2026-11-28.')
}
