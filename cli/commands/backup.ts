import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { backUpDatabase } from '@clicktally/backup/database-backup.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { CliError, usageError } from '../cli-error.ts'
import { jsonLine } from '../json-line.ts'
import { plural } from '../letters/letter-totals.ts'
import { databaseProblem } from '../system/database.ts'
import { findOwner } from '../system/owner-access.ts'

interface Options {
  readonly secrets: boolean
  readonly json?: true
}

/** For each statement: a table of a terabyte. */
const statementTimeoutMs = 24 * 3_600_000

const help = `
Writes a consistent snapshot of all rows while the system runs: one gzip file per table in PostgreSQL's COPY format, and a manifest
with row counts and hashes. Together with the secrets, which include RabbitMQ's definitions, this is all that a new system needs:

  npm start -- --restore <folder>

Not in it: clicks that were accepted but not counted yet. They are in RabbitMQ, and the balance of the restored system shows them as in
flight. Keep the folder as safe as the system: it has visitors, password hashes and keys. See docs/operations.md.`

export function registerBackup(program: Command, context: CliContext): void {
  program
    .command('backup')
    .description('writes a backup of the database and the secrets to a new folder')
    .argument('<folder>', 'must not exist')
    .option(
      '--no-secrets',
      'leave out the secret files: the restored system gets new service passwords and a new operator key',
    )
    .option('--json', 'print the manifest as a JSON object')
    .addHelpText('after', help)
    .action((folder: string, options: Options) => backUp(context, resolve(folder), options))
}

async function backUp(context: CliContext, folder: string, { secrets, json }: Options): Promise<void> {
  if (existsSync(folder)) throw usageError(`${folder} exists already: a backup is a folder of its own.`)
  const { databaseUrl, secretsDir } = await findOwner(context)
  const signal = context.takeInterruption()
  const logger = createLogger('cli', 'silent')
  const pool = createPool({ url: databaseUrl, name: 'backup', logger, maxConnections: 1, statementTimeoutMs })
  try {
    const manifest = await backUpDatabase(pool, folder, {
      secretsDir: secrets ? secretsDir : undefined,
      onTable: ({ name, rows }) => context.notices.line(`${name}: ${plural(rows, 'row')}`),
      signal,
    })
    // What is printed may be kept in logs, and a hash of a weak password tells it.
    if (json) context.print(jsonLine({ ...manifest, secrets: undefined }))
    else {
      const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
      context.print(`${folder}: ${plural(rows, 'row')} as of ${manifest.takenAt}.`)
      context.print(
        `${formatCount(manifest.balance.inFlight ?? 0)} accepted clicks were not counted yet, and are not in it.`,
      )
      if (secrets && secretsDir === undefined) context.print('Without secrets: back up their folder yourself.')
    }
  } catch (error) {
    if (!signal.aborted) throw databaseProblem(error, databaseUrl) ?? fileProblem(error) ?? error
    context.notices.line('Interrupted: there is no backup, and nothing of it is left.')
    context.exitCode = 130
  } finally {
    await pool.end()
  }
}

/** Explains an error of the disk; undefined for others. */
function fileProblem(error: unknown): CliError | undefined {
  const { message, syscall } = error as NodeJS.ErrnoException
  return syscall === undefined ? undefined : new CliError(`There is no backup: ${message}.`, 1, { cause: error })
}
