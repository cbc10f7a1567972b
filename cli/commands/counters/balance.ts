import { setTimeout as sleep } from 'node:timers/promises'
import { balanceStatus } from '@clicktally/database/known-through.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../../cli-context.ts'
import { foldWarnings } from '../../counters/fold-warnings.ts'
import { jsonLine } from '../../json-line.ts'
import { formatMoment } from '../../moment.ts'
import { type LedgerState, readLedgerState } from '../../queries/ledger-state.ts'
import { type BrokerView, readBrokerView } from '../../system/broker-view.ts'
import { withDatabase } from '../../system/database.ts'
import { findSystem } from '../../system/system-access.ts'
import type { SystemAddresses } from '../../system/system-addresses.ts'
import { judge, type Verdict } from '../../verdict.ts'

interface Options {
  readonly json?: true
  readonly watch?: true
}

interface Reading {
  readonly at: Date
  readonly state: LedgerState
  readonly broker: BrokerView | string
  readonly verdict: Verdict
}

const watchEveryMs = 2_000
const figureWidth = 15

const help = `
Counts all clicks ever accepted, from the ledger that the database keeps with the counts. A click is accepted when the broker has
confirmed it. If it is sent again with the same id, it is accepted again and counted as a duplicate.

The ledger is carried in the messages. While no message is processed (processors stopped, queue down), the figures are those of an
earlier time, and the last line says "UNKNOWN since".

Exit code 1: clicks are lost or overdue, the sums do not add up, or the balance is out of date. With --watch, the exit code is that of the last reading.`

export function registerBalance(program: Command, context: CliContext): void {
  program
    .command('balance')
    .description('accounts for every accepted click')
    .option('--watch', 'print a line every 2 s until Ctrl-C')
    .option('--json', 'print JSON, one object per reading')
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const access = await findSystem(context, ['databaseUrl', 'brokerUrl', 'managementUrl'])
      await withDatabase(access.databaseUrl, async (db) => {
        if (options.watch) await watch(context, db, access, options)
        else printOnce(context, await read(db, access), options)
      })
    })
}

async function read(db: Kysely<Tables>, access: Omit<SystemAddresses, 'baseUrl'>): Promise<Reading> {
  // The broker first, so that messages delivered between the two readings do not look lost.
  const broker = await readBrokerView(access)
  const state = await readLedgerState(db)
  return { at: new Date(), state, broker, verdict: judge(state, broker) }
}

async function watch(
  context: CliContext,
  db: Kysely<Tables>,
  access: Omit<SystemAddresses, 'baseUrl'>,
  { json }: Options,
): Promise<void> {
  const interruption = context.takeInterruption()
  const titles = ['accepted', 'counted', 'duplicates', 'dead', 'discarded', 'in flight', 'overdue']
  if (!json) context.print(`${'at'.padEnd(20)}${titles.map((title) => title.padStart(figureWidth - 2)).join('')}`)
  while (!interruption.aborted) {
    const reading = await read(db, access)
    const { at, state, verdict } = reading
    const { accepted, counted, duplicates, dead, discarded, inFlight, overdue } = state
    const figures = [accepted, counted, duplicates, dead, discarded, inFlight, overdue]
    const cells = figures.map((figure) => formatCount(figure).padStart(figureWidth - 2)).join('')
    if (json) printJson(context, reading)
    else context.print(`${formatMoment(at).padEnd(20)}${cells}  ${verdict.state.replace('_', ' ')}`)
    context.exitCode = exitCodeOf(verdict)
    await context.printed()
    await sleep(watchEveryMs, undefined, { signal: interruption }).catch(() => {})
  }
}

function printOnce(context: CliContext, reading: Reading, { json }: Options): void {
  if (json) printJson(context, reading)
  else for (const line of statement(reading)) context.print(line)
  context.exitCode = exitCodeOf(reading.verdict)
}

function printJson(context: CliContext, { at, state, broker, verdict }: Reading): void {
  const broken = typeof broker === 'string'
  context.print(
    jsonLine({
      at: at.toISOString(),
      ...state,
      broker: broken ? null : broker,
      ...(broken && { brokerProblem: broker }),
      verdict: verdict.state,
    }),
  )
}

function statement({ at, state, broker, verdict }: Reading): string[] {
  const { accepted, counted, duplicates, dead, discarded, inFlight, overdue, counters } = state
  const line = (label: string, figure: number, remark = '') =>
    `${label.padEnd(14)}${formatCount(figure).padStart(figureWidth)}${remark && `   ${remark}`}`
  const isCurrent = balanceStatus(state) === 'current'
  const lines = [
    `Clicks, ${formatMoment(at)}`,
    '',
    line('accepted', accepted, isCurrent ? '' : 'as far as is known'),
    line('= counted', counted, `the counters add up to ${counters === counted ? 'the same' : formatCount(counters)}`),
    line('+ duplicates', duplicates, 'resent with ids that were counted already'),
    line('+ dead', dead, dead > 0 ? '"dead list" shows them' : ''),
    line('+ discarded', discarded),
    line(
      '+ in flight',
      inFlight,
      overdue > 0 ? `${formatCount(overdue)} of them overdue` : isCurrent ? '' : 'at least, see below',
    ),
    '',
  ]
  if (typeof broker === 'string') {
    lines.push(`The state of the broker's queues is unknown: ${broker}`)
  } else {
    const { ready, unacknowledged, dead: given } = broker
    lines.push(
      `Messages at the broker: ${formatCount(ready)} ready, ${formatCount(unacknowledged)} with processors` +
        (given > 0 ? `, ${formatCount(given)} on their way to the dead letters` : ''),
    )
  }
  return [...lines, ...foldWarnings(state.folding), '', verdict.words]
}

function exitCodeOf({ state }: Verdict): 0 | 1 {
  return state === 'settled' || state === 'in_flight' ? 0 : 1
}
