import { randomBytes } from 'node:crypto'
import { createPool } from '@clicktally/database/pool.ts'
import { Kysely, PostgresDialect } from 'kysely'
import { pino } from 'pino'
import { inject, onTestFinished } from 'vitest'
import { migrate, pendingChanges } from '../migrate.ts'
import { createMigrator } from '../schema.ts'

const logger = pino({ level: 'silent' })

/** A database without any table, dropped at the end of the test. */
export async function createEmptyDatabase() {
  const { postgresUrl } = inject('servers')
  const name = `clicktally_${randomBytes(6).toString('hex')}`
  const url = new URL(postgresUrl)
  url.pathname = `/${name}`
  const limits = { name: 'test', logger, maxConnections: 1, statementTimeoutMs: 20_000 }
  const server = createPool({ ...limits, url: postgresUrl })
  await server.query(`create database ${name}`)
  const pool = createPool({ ...limits, url: url.href })
  onTestFinished(async () => {
    await pool.end()
    await server.query(`drop database ${name} with (force)`)
    await server.end()
  })
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  return {
    pool,
    /** Runs the numbered migrations up to this one, without the stored functions. */
    migrateTo: async (migration: string) => {
      const { error } = await createMigrator(db).migrateTo(migration)
      if (error !== undefined) throw error
    },
    migrate: () => migrate(url.href, () => 'only-for-tests', logger),
    pending: () => pendingChanges(url.href, logger),
  }
}
