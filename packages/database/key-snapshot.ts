import type { KeySnapshot } from '@clicktally/keys/key-snapshot.ts'
import { homeCell } from '@clicktally/system/cells.ts'
import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** The version of the keys: a snapshot with the same version has the same keys, projects and salts. */
export async function readKeyVersion(db: Kysely<Tables>): Promise<number> {
  return (await db.selectFrom('key_version').select('version').executeTakeFirstOrThrow()).version
}

/**
 * Everything that services verify keys from, as of one moment.
 *
 * @param forIngest whether to include links, and the salts of derived visitors: only services/auth may read them
 */
export async function readKeySnapshot(
  db: Kysely<Tables>,
  nowMs: number,
  { forIngest }: { readonly forIngest: boolean },
): Promise<KeySnapshot> {
  return await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (snapshot) => {
      const version = await readKeyVersion(snapshot)
      const projects = await snapshot
        .selectFrom('projects')
        .select(['id', 'name', 'derives_visitors', 'cell', 'moving_from', 'moving_since'])
        .orderBy('id')
        .execute()
      const keys = await snapshot
        .selectFrom('keys')
        .select(['id', 'project_id', 'role', 'hash', 'origins', 'clicks_per_second', 'expires_at'])
        .where('revoked_at', 'is', null)
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', new Date(nowMs))]))
        .orderBy('id')
        .execute()
      const days = forIngest
        ? await snapshot
            .selectFrom('visitor_salts')
            .select([sql<string>`to_char(day, 'YYYY-MM-DD')`.as('day'), 'salt'])
            .execute()
        : []
      const links = forIngest
        ? await snapshot.selectFrom('links').select(['slug', 'project_id', 'target', 'url']).orderBy('slug').execute()
        : []
      return {
        version,
        publishedAtMs: nowMs,
        projects: projects.map(({ id, name, derives_visitors, cell, moving_from, moving_since }) => ({
          ...{ id, name, derivesVisitors: derives_visitors },
          ...(cell !== homeCell && { cell }),
          ...(moving_from !== null &&
            moving_since !== null && { moving: { from: moving_from, sinceMs: moving_since.getTime() } }),
        })),
        keys: keys.map((key) => ({
          id: key.id,
          hash: key.hash.toString('base64url'),
          role: key.role,
          projectId: key.project_id,
          origins: key.origins,
          ...(key.clicks_per_second !== null && { clicksPerSecond: key.clicks_per_second }),
          ...(key.expires_at !== null && { expiresAtMs: key.expires_at.getTime() }),
        })),
        links: links.map(({ slug, project_id, target, url }) => ({ slug, projectId: project_id, target, url })),
        visitorSalts: Object.fromEntries(days.map(({ day, salt }) => [day, salt.toString('base64url')])),
      }
    })
}
