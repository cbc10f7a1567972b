import { isAbsolute } from 'node:path'
import type { Environment } from '@clicktally/config/environment.ts'
import type { ArchiveStore } from './archive-store.ts'
import { FolderStore } from './folder-store.ts'
import { withNamedErrors } from './named-errors.ts'
import type { S3Settings } from './s3-store.ts'

/** A folder, or a bucket with a prefix that is empty or ends with a slash. */
export type ArchivePlace = { readonly folder: string } | { readonly bucket: string; readonly prefix: string }

export interface ArchiveSettings {
  /** Undefined: there are no archives. */
  readonly place: ArchivePlace | undefined
  readonly s3: S3Settings
}

/** Reads ARCHIVE_URL and ARCHIVE_S3_…. */
export function readArchiveSettings(env: Environment): ArchiveSettings {
  const settings = {
    place: env.parsed<ArchivePlace | undefined>(
      'ARCHIVE_URL',
      undefined,
      parsePlace,
      'like file:///var/lib/clicktally/archive or s3://bucket/prefix',
    ),
    s3: {
      endpoint: env.optionalServerUrl('ARCHIVE_S3_ENDPOINT', 'https://s3.example.org', ['http:', 'https:']),
      region: env.text('ARCHIVE_S3_REGION', 'us-east-1'),
      storageClass: env.optionalText('ARCHIVE_S3_STORAGE_CLASS'),
      accessKeyId: env.optionalText('ARCHIVE_S3_ACCESS_KEY_ID'),
      secretAccessKey: env.secret('ARCHIVE_S3_SECRET_ACCESS_KEY'),
    },
  }
  if ((settings.s3.accessKeyId === undefined) !== (settings.s3.secretAccessKey === undefined)) {
    env.reject('ARCHIVE_S3_ACCESS_KEY_ID and ARCHIVE_S3_SECRET_ACCESS_KEY must both be set, or neither')
  }
  return settings
}

function parsePlace(text: string): ArchivePlace | undefined {
  const url = URL.parse(text)
  const path = url === null ? '' : decodeURIComponent(url.pathname)
  if (url?.protocol === 'file:' && url.host === '' && isAbsolute(path)) return { folder: path }
  if (url?.protocol !== 's3:' || !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.host)) return undefined
  const prefix = path.replace(/^\/+|\/+$/g, '')
  return { bucket: url.host, prefix: prefix === '' ? '' : `${prefix}/` }
}

/** Opens the place of archives. Its errors name it. */
export async function openArchiveStore(place: ArchivePlace, s3: S3Settings): Promise<ArchiveStore> {
  if ('folder' in place) return withNamedErrors(new FolderStore(place.folder))
  // The SDK takes 20 MB of memory, which who has a folder does not need.
  const { S3Store } = await import('./s3-store.ts')
  return withNamedErrors(new S3Store(place.bucket, place.prefix, s3))
}
