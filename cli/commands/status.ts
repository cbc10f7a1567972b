import { setTimeout as sleep } from 'node:timers/promises'
import { readBalance } from '@clicktally/database/balance.ts'
import { readDatabaseHealth } from '@clicktally/database/database-health.ts'
import { readFoldBacklog } from '@clicktally/database/fold-backlog.ts'
import { readKnownThrough } from '@clicktally/database/known-through.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../cli-context.ts'
import { jsonLine } from '../json-line.ts'
import { formatMoment } from '../moment.ts'
import { readBrokerView } from '../system/broker-view.ts'
import { withDatabase } from '../system/database.ts'
import { findSystem } from '../system/system-access.ts'
import type { SystemAddresses } from '../system/system-addresses.ts'

interface Options {
  readonly json?: true
  readonly watch?: true
}

/** Clicks, unless the name says otherwise. Null: unknown. */
interface Status {
  readonly at: string
  readonly behindSeconds: number | null
  readonly readyMessages: number | null
  readonly unacknowledgedMessages: number | null
  readonly inFlight: number
  readonly overdue: number
  readonly dead: number
  readonly unfoldedDeltas: number
  readonly processors: number
}

const watchEveryMs = 2_000
const columns = [
  {
    title: 'behind',
    width: 9,
    cell: ({ behindSeconds }: Status) => (behindSeconds === null ? '?' : `${formatCount(behindSeconds)} s`),
  },
  { title: 'ready', width: 11, cell: ({ readyMessages }: Status) => orUnknown(readyMessages) },
  { title: 'unacked', width: 9, cell: ({ unacknowledgedMessages }: Status) => orUnknown(unacknowledgedMessages) },
  { title: 'in flight', width: 11, cell: ({ inFlight }: Status) => formatCount(inFlight) },
  { title: 'overdue', width: 9, cell: ({ overdue }: Status) => formatCount(overdue) },
  { title: 'dead', width: 9, cell: ({ dead }: Status) => formatCount(dead) },
  { title: 'unfolded', width: 11, cell: ({ unfoldedDeltas }: Status) => formatCount(unfoldedDeltas) },
  { title: 'processors', width: 12, cell: ({ processors }: Status) => formatCount(processors) },
]

const help = `
behind: every click accepted before is counted. ready, unacked: messages at RabbitMQ, of up to 500 clicks. The others are clicks,
deltas and processes. "doctor" explains what is wrong, "balance" accounts for every click.`

export function registerStatus(program: Command, context: CliContext): void {
  program
    .command('status')
    .description('shows how far the counts are behind, and what waits')
    .option('--watch', 'print a line every 2 s until Ctrl-C')
    .option('--json', 'print JSON, one object per reading')
    .addHelpText('after', help)
    .action(async ({ json, watch }: Options) => {
      const access = await findSystem(context, ['databaseUrl', 'brokerUrl', 'managementUrl'])
      const interruption = watch ? context.takeInterruption() : undefined
      if (!json) context.print(`${'at'.padEnd(20)}${columns.map(({ title, width }) => title.padStart(width)).join('')}`)
      await withDatabase(access.databaseUrl, async (db) => {
        do {
          const status = await read(db, access)
          const cells = columns.map(({ width, cell }) => cell(status).padStart(width))
          context.print(
            json ? jsonLine({ ...status }) : `${formatMoment(new Date(status.at)).padEnd(20)}${cells.join('')}`,
          )
          await context.printed()
          if (interruption) await sleep(watchEveryMs, undefined, { signal: interruption }).catch(() => {})
        } while (interruption !== undefined && !interruption.aborted)
      })
    })
}

async function read(db: Kysely<Tables>, access: Omit<SystemAddresses, 'baseUrl'>): Promise<Status> {
  const broker = await readBrokerView(access)
  const known = typeof broker === 'string' ? undefined : broker
  const { knownAgeMs } = await readKnownThrough(db)
  const { inFlight, overdue, dead } = await readBalance(db)
  const { unfolded } = await readFoldBacklog(db)
  const { processorsReporting } = await readDatabaseHealth(db)
  return {
    at: new Date().toISOString(),
    behindSeconds: knownAgeMs === null ? null : Math.max(0, Math.round(knownAgeMs / 1_000)),
    readyMessages: known?.ready ?? null,
    unacknowledgedMessages: known?.unacknowledged ?? null,
    inFlight,
    overdue,
    dead,
    unfoldedDeltas: unfolded,
    processors: processorsReporting,
  }
}

function orUnknown(value: number | null): string {
  return value === null ? '?' : formatCount(value)
}
