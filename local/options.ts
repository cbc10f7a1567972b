import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { Command } from 'commander'

export interface Options {
  /** The port of plain HTTP, instead of that of CLICKTALLY_LISTEN. */
  readonly port?: number
  readonly ingests: number
  readonly processors: number
  /** Whether to start Prometheus and Alertmanager too. */
  readonly observability: boolean
  /** The folder of a backup, from which a new system is made. */
  readonly restore?: string
}

/** Each instance takes about 80 MB of memory and several of PostgreSQL's 100 connections. */
const maxInstances = 16

export function createCommand(): Command {
  const instances = wholeNumber(1, maxInstances)
  return new Command('npm start --')
    .description('Runs all of Clicktally on this machine, without Docker. Installs nothing outside this folder.')
    .option('--port <number>', 'port of nginx, instead of that of CLICKTALLY_LISTEN (8080)', wholeNumber(1, 65_535))
    .option('--ingests <number>', 'number of ingest processes, which accept clicks', instances, 1)
    .option('--processors <number>', 'number of processors, which write clicks to the database', instances, 1)
    .option('--observability', 'also start Prometheus and Alertmanager, with the alerts of docs/operations.md', false)
    .option(
      '--restore <folder>',
      'make a new database from a backup of "clicktally backup"; needs a folder without one',
    )
    .addHelpText(
      'after',
      '\nData, logs, passwords and downloaded programs are in .local/. Ctrl-C stops everything and keeps the data.',
    )
}
