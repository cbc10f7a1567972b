import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import type { Kysely } from 'kysely'
import { CliError } from '../cli-error.ts'

/** Verification runs long queries; longer ones are stuck. */
const statementTimeoutMs = 600_000
/** Longer than for a service, which retries by itself. */
const connectTimeoutMs = 15_000

/**
 * Opens the database for `use`, and closes it afterwards.
 *
 * @throws {CliError} if the database cannot be reached or does not fit this program
 */
export async function withDatabase<Result>(url: string, use: (db: Kysely<Tables>) => Promise<Result>): Promise<Result> {
  const db = createDatabase(
    createPool({
      url,
      name: 'cli',
      // Errors are thrown and reported once.
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
  '28P01': 'it rejects the password',
  '28000': 'it rejects this user',
  '3D000': 'it does not exist',
  '42P01': 'a table is missing: its migrations are older or newer than this program',
  '42703': 'a column is missing: its migrations are older or newer than this program',
  '42501': 'this user lacks a privilege; use the role clicktally_operator',
  '53300': 'it has no free connections',
  '55P03': 'a row was locked for too long by another transaction',
  '57014': 'a statement took too long',
  '57P01': 'it ended the connection',
  '57P03': 'it is starting up or shutting down',
}

/** Explains a database error to the user; undefined for other errors. */
export function databaseProblem(error: unknown, url: string): CliError | undefined {
  if (!(error instanceof Error) || error instanceof CliError) return undefined
  const { host, pathname } = new URL(url)
  const database = `The database ${pathname.slice(1)} at ${host}`
  const state = sqlStateOf(error)
  if (state !== undefined) {
    const explanation = goneIn(state, error.message) ?? explanations[state]
    const said = explanation === undefined ? error.message.replace(/\.$/, '') : `${explanation} (${error.message})`
    return new CliError(`${database}: ${said}.`, 1, { cause: error })
  }
  // Files have errors with other codes.
  const { code, syscall } = error as NodeJS.ErrnoException
  const isNetwork =
    syscall === 'connect' || /^(ECONN|EHOST|ENET|EAI_|ENOTFOUND|EPIPE|EPROTO|ETIMEDOUT)/.test(code ?? '')
  const isLost = /^(Connection terminated|timeout exceeded|Query read timeout)/.test(error.message)
  if (!isNetwork && !isLost) return undefined
  return new CliError(
    `${database} cannot be reached, or the connection broke: ${code ?? error.message}. Is it running?`,
    1,
    { cause: error },
  )
}

/** What it means that a partition of clicks is missing: a janitor dropped it after this program had listed it. */
function goneIn(state: string, message: string): string | undefined {
  const [, partition] = (state === '42P01' && /"(clicks_\d+)"/.exec(message)) || []
  return partition === undefined ? undefined : `its partition ${partition} was removed meanwhile: run the command again`
}
