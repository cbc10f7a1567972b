import { createPool } from '@clicktally/database/pool.ts'
import { loginRoles } from '@clicktally/system/accounts.ts'
import type { DatabaseAccount } from '@clicktally/system/parts.ts'
import { Kysely, PostgresDialect, sql } from 'kysely'
import type { Logger } from 'pino'
import { applyFunctions } from './functions.ts'
import { createMigrator } from './schema.ts'

/**
 * Migrates the schema and the stored functions to the current version, in one transaction, then sets the passwords of the
 * login roles. Forward only. Idempotent; concurrent runs wait for each other.
 *
 * @throws the database error, naming the migration or function that failed. Schema and functions are unchanged then.
 */
export async function migrate(
  ownerUrl: string,
  passwordOf: (account: DatabaseAccount) => string,
  logger: Logger,
): Promise<void> {
  const pool = createPool({ url: ownerUrl, name: 'migrations', logger, maxConnections: 2, statementTimeoutMs: 600_000 })
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  try {
    await db.transaction().execute(async (transaction) => {
      // Kysely's own lock would come after it has created its tables, at which two first runs would collide.
      await sql`select pg_advisory_xact_lock(hashtext('clicktally migrations'))`.execute(transaction)
      // Returns the error instead of throwing it.
      const { error, results } = await createMigrator(transaction).migrateToLatest()
      for (const { migrationName, status } of results ?? [])
        logger.info({ migration: migrationName, status }, 'migration')
      if (error !== undefined) {
        const failed = results?.find(({ status }) => status === 'Error')?.migrationName ?? 'unknown'
        throw new Error(`The migration ${failed} failed.`, { cause: error })
      }
      for (const name of await applyFunctions(transaction)) logger.info({ function: name }, 'function applied')
    })
    for (const { account, role } of loginRoles) await setPassword(pool, role, passwordOf(account))
  } finally {
    await db.destroy()
  }
}

async function setPassword(pool: ReturnType<typeof createPool>, role: string, password: string): Promise<void> {
  // ALTER ROLE accepts no parameters; format() quotes the password.
  const { rows } = await pool.query<{ statement: string }>(
    `select format('alter role %I login password %L', $1::text, $2::text) as statement`,
    [role, password],
  )
  // Roles belong to the server: concurrent migrations of two databases would update the same row.
  await pool.query(
    `do $clicktally$ begin perform pg_advisory_xact_lock(hashtext('clicktally roles')); ${rows[0]?.statement}; end $clicktally$`,
  )
}
