import { createPool } from '@clicktally/database/pool.ts'
import { loginRoles } from '@clicktally/system/accounts.ts'
import type { DatabaseAccount } from '@clicktally/system/parts.ts'
import { Kysely, PostgresDialect, sql } from 'kysely'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { applyFunctions, changedFunctions } from './functions.ts'
import { roleSettings } from './role-settings.ts'
import { createMigrator, notesOf } from './schema.ts'

/** Nothing can go on without the migrations, so they wait for a machine that is slow to start. */
const connectTimeoutMs = 30_000

/**
 * Migrates the schema and the stored functions to the current version, in one transaction, then sets the passwords and the settings of
 * the login roles. Forward only. Idempotent; concurrent runs wait for each other.
 *
 * @throws the database error, naming the migration or function that failed. Schema and functions are unchanged then.
 */
export async function migrate(
  ownerUrl: string,
  passwordOf: (account: DatabaseAccount) => string,
  logger: Logger,
): Promise<void> {
  const pool = createPool({
    url: ownerUrl,
    name: 'migrations',
    logger,
    maxConnections: 2,
    statementTimeoutMs: 600_000,
    connectTimeoutMs,
  })
  try {
    await migrateSchema(pool, logger)
    for (const { account, role } of loginRoles)
      await prepareRole(pool, role, passwordOf(account), roleSettings[account])
  } finally {
    await pool.end()
  }
}

/** What migrate() would do to the schema. */
export interface PendingChanges {
  /** In order. `notes` is the comment at the top of the file: what it does, and whether the earlier services may run beside it. */
  readonly migrations: readonly { readonly name: string; readonly notes: string }[]
  /** Stored functions that are created or replaced. */
  readonly functions: readonly string[]
}

/** Reads what migrate() would do, and changes nothing. @throws the database error */
export async function pendingChanges(ownerUrl: string, logger: Logger): Promise<PendingChanges> {
  const pool = createPool({
    url: ownerUrl,
    name: 'migrations',
    logger,
    maxConnections: 1,
    statementTimeoutMs: 10_000,
    connectTimeoutMs,
  })
  try {
    const db = over(pool)
    const all = await createMigrator(db).getMigrations()
    const pending = all.filter(({ executedAt }) => executedAt === undefined)
    return {
      migrations: await Promise.all(pending.map(async ({ name }) => ({ name, notes: await notesOf(name) }))),
      functions: (await changedFunctions(db)).map(({ name }) => name),
    }
  } finally {
    await pool.end()
  }
}

/** Migrates like {@link migrate}, without the roles' passwords and settings. */
export async function migrateSchema(pool: Pool, logger: Logger): Promise<void> {
  await over(pool)
    .transaction()
    .execute(async (transaction) => {
      // Kysely's own lock would come after it has created its tables, at which two first runs would collide.
      // Another run may take long: its lock, and no other, is waited for without a limit of its own.
      await sql`set local lock_timeout = 0`.execute(transaction)
      await sql`select pg_advisory_xact_lock(hashtext('clicktally migrations'))`.execute(transaction)
      await sql`set local lock_timeout to default`.execute(transaction)
      // Returns the error instead of throwing it.
      const onStart = (migration: string) => logger.info({ migration }, 'migration begins')
      const { error, results } = await createMigrator(transaction, { onStart }).migrateToLatest()
      for (const { migrationName, status } of results ?? [])
        logger.info({ migration: migrationName, status }, 'migration')
      if (error !== undefined) {
        const failed = results?.find(({ status }) => status === 'Error')?.migrationName ?? 'unknown'
        throw new Error(`The migration ${failed} failed.`, { cause: error })
      }
      for (const name of await applyFunctions(transaction)) logger.info({ function: name }, 'function applied')
    })
}

/**
 * Runs exactly these migrations on an empty database, without stored functions: the schema that a backup has.
 *
 * @throws if this version does not have one of them
 */
export async function migrateToSchemaOf(pool: Pool, migrations: readonly string[]): Promise<void> {
  const { error } = await createMigrator(over(pool), { only: migrations }).migrateToLatest()
  if (error !== undefined) throw error
}

function over(pool: Pool): Kysely<unknown> {
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
}

async function prepareRole(
  pool: ReturnType<typeof createPool>,
  role: string,
  password: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  // ALTER ROLE accepts no parameters; format() quotes the password.
  const { rows } = await pool.query<{ statement: string }>(
    `select format('alter role %I login password %L', $1::text, $2::text) as statement`,
    [role, password],
  )
  const statements = Object.entries(settings).map(([name, value]) => `alter role ${role} set ${name} = '${value}'`)
  const all = [rows[0]?.statement, ...statements].join('; ')
  // Roles belong to the server: concurrent migrations of two databases would update the same row.
  await pool.query(
    `do $clicktally$ begin perform pg_advisory_xact_lock(hashtext('clicktally roles')); ${all}; end $clicktally$`,
  )
}
