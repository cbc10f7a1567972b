import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import type { Kysely } from 'kysely'
import { CliError } from './cli-error.ts'

/** Verifying sums up much; whatever takes longer than this is stuck. */
const statementTimeoutMs = 600_000
/** A person waits longer than a service, whose next attempt comes by itself. */
const connectTimeoutMs = 15_000

/**
 * Gives `use` the database, and closes it afterwards.
 * @throws {CliError} where the database can't be reached or does not know what was asked of it
 */
export async function withDatabase<Result>(url: string, use: (db: Kysely<Tables>) => Promise<Result>): Promise<Result> {
  const db = createDatabase(
    createPool({
      url,
      name: 'cli',
      // What goes wrong is thrown, and said once.
      logger: createLogger('cli', 'silent'),
      maxConnections: 2,
      statementTimeoutMs,
      connectTimeoutMs,
    }),
  )
  try {
    return await use(db)
  } catch (error) {
    throw databaseProblem(error, url) ?? error
  } finally {
    await db.destroy()
  }
}

const explanations: Record<string, string> = {
  '28P01': 'it does not take the password',
  '28000': 'it does not let this user in',
  '3D000': 'there is no such database',
  '42P01': 'a table is missing: its migrations are older or newer than this program',
  '42703': 'a column is missing: its migrations are older or newer than this program',
  '42501': 'this user lacks a right: the role is clicktally_operator',
  '53300': 'it has no connection left',
  '55P03': 'a row was locked for too long by someone else',
  '57014': 'it gave the statement up for taking too long',
  '57P01': 'it ended the connection',
  '57P03': 'it is starting up or shutting down',
}

/** What a person can make of an error of the database; undefined where it is none. */
export function databaseProblem(error: unknown, url: string): CliError | undefined {
  if (!(error instanceof Error) || error instanceof CliError) return undefined
  const { host, pathname } = new URL(url)
  const database = `The database ${pathname.slice(1)} at ${host}`
  const state = sqlStateOf(error)
  if (state !== undefined) {
    const explanation = explanations[state]
    const said = explanation === undefined ? error.message : `${explanation} (${error.message})`
    return new CliError(`${database}: ${said}.`, 1, { cause: error })
  }
  const { code } = error as NodeJS.ErrnoException
  const isNetwork = code !== undefined && /^E[A-Z_]+$/.test(code) && !code.startsWith('ERR_')
  const isLost = /^(Connection terminated|timeout exceeded|Query read timeout)/.test(error.message)
  if (!isNetwork && !isLost) return undefined
  return new CliError(
    `${database} can't be reached, or the connection broke: ${code ?? error.message}. Does it run?`,
    1,
    { cause: error },
  )
}
