import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql } from 'kysely'
import { type Finding, finding } from './finding.ts'

const noticeDays = 14

/**
 * Keys that expire, and the files with the first keys.
 *
 * @param secretsDirs folders that may contain the operator's secret files
 */
export async function checkKeys(db: Kysely<Tables>, secretsDirs: readonly string[]): Promise<readonly Finding[]> {
  const { rows } = await sql<{ id: string; days: number }>`
    select id, floor(extract(epoch from expires_at - clock_timestamp()) / 86400)::int as days from keys
    where revoked_at is null and expires_at between clock_timestamp() and clock_timestamp() + make_interval(days => ${noticeDays})
    order by expires_at limit 20`.execute(db)
  const soon = rows.map(({ id, days }) => `${id} in ${days} days`)
  const files = secretsDirs.map((dir) => join(dir, 'first-secret-key')).filter((path) => existsSync(path))
  return [
    finding(
      'keys',
      soon.length > 0 ? 'notice' : 'ok',
      soon.length > 0 ? `expire: ${soon.join(', ')}` : `none expires within ${noticeDays} days`,
      'Create new ones with "keys create", and replace them where they are used.',
    ),
    finding(
      'first keys',
      files.length > 0 ? 'notice' : 'ok',
      files.length > 0 ? `are still in ${files.join(', ')}` : 'no file with them here',
      'For a system on the internet: create keys for each use, revoke the first ones, and delete the files first-*.',
    ),
  ]
}
