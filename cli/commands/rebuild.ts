import type { Tables } from '@clicktally/database/tables.ts'
import { formatCount, withProgress } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../cli-context.ts'
import { confirmed } from '../confirm.ts'
import { counterLine, counterLineTitles } from '../counter-line.ts'
import { withDatabase } from '../database.ts'
import { plural } from '../letter-totals.ts'
import { addMinuteOptions, type MinuteOptions, minutesFrom } from '../minute-options.ts'
import type { CounterKey } from '../queries/counter-differences.ts'
import { rebuildCounters } from '../rebuilding.ts'
import { findSystem } from '../system-access.ts'
import { describeVerification, verifyWithProgress } from './verify.ts'

interface Options extends MinuteOptions {
  readonly yes?: true
}

type Minutes = ReturnType<typeof minutesFrom>

/** Remembered of one verification; what there is beyond is found by the next one. */
const maxKeys = 100_000
const linesShown = 20

const help = `
It verifies, mends the counters that differ, and verifies again, until there is no difference. Clicks may arrive all
the while: the result is exact. What was mended stays so when it is interrupted. A counter without any click is removed.
Where raw clicks were dropped, counters from before their horizon are left as they are: nothing tells what they should be.`

export function registerRebuild(program: Command, context: CliContext): void {
  addMinuteOptions(program.command('rebuild'))
    .description('makes the counters what the raw clicks say')
    .option('--yes', 'do not ask; without a terminal nothing is changed but with this')
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
  const question = `Make ${plural(differences, 'counter')} what the clicks say?`
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
      rebuildCounters(db, found, interruption, update),
    )
    if (interruption.aborted) break
    ;({ keys, differences, isWhole } = await findDifferences(context, db, minutes, 0))
    // Each round mends all that it has found: whoever damages counters faster than that has to be stopped first. But what
    // is made of the minutes is looked at only when these are right.
    if (differences >= before.differences && (before.isWhole || !isWhole)) break
  }
  context.print(
    `Mended ${plural(mended, 'counter')}.${interruption.aborted ? ' Interrupted: the others are as before.' : ''}`,
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
