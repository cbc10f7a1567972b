import { readdir } from 'node:fs/promises'
import { createPool } from '@clicktally/database/pool.ts'
import { Kysely, PostgresDialect } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { Logger } from 'pino'

/**
 * Brings the schema to the newest state and gives the login roles their passwords. Forward only; may be run again; several
 * at once wait for each other.
 *
 * @throws what the database said, naming the migration that failed. That migration has changed nothing.
 */
export async function migrate(
  ownerUrl: string,
  passwords: { readonly processor: string; readonly api: string; readonly operator: string },
  logger: Logger,
): Promise<void> {
  const pool = createPool({ url: ownerUrl, name: 'migrations', logger, maxConnections: 2, statementTimeoutMs: 600_000 })
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    const migrator = new Migrator({ db, provider: { getMigrations } })
    // It returns its error instead of throwing it.
    const { error, results } = await migrator.migrateToLatest()
    for (const { migrationName, status } of results ?? [])
      logger.info({ migration: migrationName, status }, 'migration')
    if (error !== undefined) {
      const failed = results?.find(({ status }) => status === 'Error')?.migrationName ?? 'unknown'
      throw new Error(`The migration ${failed} failed.`, { cause: error })
    }
    await setPassword(pool, 'clicktally_processor', passwords.processor)
    await setPassword(pool, 'clicktally_api', passwords.api)
    await setPassword(pool, 'clicktally_operator', passwords.operator)
  } finally {
    await db.destroy()
  }
}

async function getMigrations(): Promise<Record<string, Migration>> {
  const files = (await readdir(import.meta.dirname)).filter((file) => /^\d{4}-[\w-]+\.ts$/.test(file)).sort()
  return Object.fromEntries(
    await Promise.all(
      files.map(async (file) => [file.slice(0, -3), (await import(`./${file}`)) as Migration] as const),
    ),
  )
}

async function setPassword(pool: ReturnType<typeof createPool>, role: string, password: string): Promise<void> {
  // A password can't be a parameter of ALTER ROLE; format() quotes it.
  const { rows } = await pool.query<{ statement: string }>(
    `select format('alter role %I login password %L', $1::text, $2::text) as statement`,
    [role, password],
  )
  // Roles belong to the whole server: two databases that are migrated at once would touch the same row.
  await pool.query(
    `do $clicktally$ begin perform pg_advisory_xact_lock(hashtext('clicktally roles')); ${rows[0]?.statement}; end $clicktally$`,
  )
}
