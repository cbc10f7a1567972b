import type { Tables } from '@clicktally/database/tables.ts'
import { formatCount, withProgress } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../../cli-context.ts'
import { confirmed } from '../../confirm.ts'
import { counterLine, counterLineTitles } from '../../counters/counter-line.ts'
import { addMinuteOptions, type MinuteOptions, minutesFrom } from '../../counters/minute-options.ts'
import { rebuildCounters } from '../../counters/rebuilding.ts'
import { plural } from '../../letters/letter-totals.ts'
import type { CounterKey } from '../../queries/counters/counter-differences.ts'
import { withDatabase } from '../../system/database.ts'
import { findSystem } from '../../system/system-access.ts'
import { describeVerification, verifyWithProgress } from './verify.ts'

interface Options extends MinuteOptions {
  readonly yes?: true
}

type Minutes = ReturnType<typeof minutesFrom>

/** Differences kept from one verification; the next one finds the rest. */
const maxKeys = 100_000
const linesShown = 20

const help = `
Verifies, repairs counters that differ, and repeats until there is no difference. The result is exact while clicks arrive. After an
interruption, repairs made so far are kept. Counters without clicks are removed. Counters from before the horizon of raw clicks
cannot be recomputed and are left unchanged.`

export function registerRebuild(program: Command, context: CliContext): void {
  addMinuteOptions(program.command('rebuild'))
    .description('recomputes wrong counters from the raw clicks')
    .option('--yes', 'do not ask for confirmation; required without a terminal')
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const minutes = minutesFrom(options)
      const { databaseUrl } = await findSystem(context, ['databaseUrl'])
      await withDatabase(databaseUrl, (db) => rebuild(context, db, minutes, options.yes === true))
    })
}

async function rebuild(context: CliContext, db: Kysely<Tables>, minutes: Minutes, yes: boolean): Promise<void> {
  let { keys, differences, isWhole } = await findDifferences(context, db, minutes, linesShown)
  if (differences === 0) return
  const question = `Recompute ${plural(differences, 'counter')} from the raw clicks?`
  if (!yes && !(await confirmed(context, question))) {
    context.print('Nothing was changed.')
    context.exitCode = 1
    return
  }
  const interruption = context.takeInterruption()
  let mended = 0
  while (keys.length > 0 && !interruption.aborted) {
    const progress = { label: 'Mending', unit: 'counters', total: keys.length, withSpeed: true }
    const found = keys
    const before = { differences, isWhole }
    mended += await withProgress(context.notices, progress, (update) =>
      rebuildCounters(db, found, { interruption, onProgress: update }),
    )
    if (interruption.aborted) break
    ;({ keys, differences, isWhole } = await findDifferences(context, db, minutes, 0))
    // Each round repairs everything it has found. Coarser buckets are compared only when the minutes are right, so more than
    // one round may be needed.
    if (differences >= before.differences && (before.isWhole || !isWhole)) break
  }
  context.print(
    `Repaired ${plural(mended, 'counter')}.${interruption.aborted ? ' Interrupted: the others are unchanged.' : ''}`,
  )
  if (interruption.aborted) context.exitCode = 130
  else if (differences > 0) context.exitCode = 1
}

async function findDifferences(
  context: CliContext,
  db: Kysely<Tables>,
  minutes: Minutes,
  maxLines: number,
): Promise<{ keys: CounterKey[]; differences: number; isWhole: boolean }> {
  const keys: CounterKey[] = []
  let lines = 0
  const verification = await verifyWithProgress(context, db, minutes, ({ counter, clicks, ...key }) => {
    if (keys.length < maxKeys) keys.push(key)
    if (lines >= maxLines) return
    if (lines === 0) context.print(counterLineTitles)
    context.print(counterLine({ counter, clicks, ...key }))
    lines += 1
  })
  const { differences, isWhole } = verification
  if (lines > 0 && differences > lines)
    context.print(`… and ${formatCount(differences - lines)} more ("verify" shows all)`)
  for (const line of describeVerification(verification)) context.print(line)
  return { keys, differences, isWhole }
}
