import type { Tables } from '@clicktally/database/tables.ts'
import { formatCount, withProgress } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../../cli-context.ts'
import { counterLine, counterLineTitles, formatMinute } from '../../counters/counter-line.ts'
import { foldWarnings } from '../../counters/fold-warnings.ts'
import { addMinuteOptions, type MinuteOptions, minutesFrom } from '../../counters/minute-options.ts'
import { type Verification, verifyCounters } from '../../counters/verification.ts'
import { jsonLine } from '../../json-line.ts'
import { plural } from '../../letters/letter-totals.ts'
import type { CounterDifference } from '../../queries/counters/counter-differences.ts'
import { withDatabase } from '../../system/database.ts'
import { findSystem } from '../../system/system-access.ts'

interface Options extends MinuteOptions {
  readonly json?: true
}

const help = `
Reads both sides in one snapshot, so the result is exact while clicks arrive. Without --from and --to it checks everything. Times are
UTC. Visitors are compared by their sketches: up to 2,048 visitors are shown, and "(others)" marks sketches of equal size that
differ. Hours, days, months and totals are compared with the minutes of the targets where those are right. Where raw clicks were
removed, it stops at the horizon and says so.

Exit code 1: there are differences; "rebuild" repairs them.`

export function registerVerify(program: Command, context: CliContext): void {
  addMinuteOptions(program.command('verify'))
    .description('recomputes all counters from the raw clicks and shows differences')
    .option('--json', 'print one JSON object per difference, then one for the summary')
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const minutes = minutesFrom(options)
      const { databaseUrl } = await findSystem(context, ['databaseUrl'])
      await withDatabase(databaseUrl, async (db) => {
        let titled = false
        const verification = await verifyWithProgress(context, db, minutes, async (difference) => {
          if (!options.json && !titled) context.print(counterLineTitles)
          titled = true
          context.print(options.json ? jsonLine(difference) : counterLine(difference))
          await context.printed()
        })
        if (options.json) context.print(jsonLine(verification))
        else
          for (const line of [...describeVerification(verification), ...foldWarnings(verification.folding)])
            context.print(line)
        if (verification.differences > 0) context.exitCode = 1
      })
    })
}

/** Verifies with a progress bar. */
export async function verifyWithProgress(
  context: CliContext,
  db: Kysely<Tables>,
  minutes: { from: Date | undefined; to: Date | undefined },
  onDifference: (difference: CounterDifference) => void | Promise<void>,
): Promise<Verification> {
  const progress = { label: 'Verifying', unit: 'clicks', total: 0, withSpeed: true }
  return await withProgress(context.notices, progress, async (update) => {
    return await verifyCounters(db, { ...minutes, onProgress: update, onDifference })
  })
}

/** Returns the summary, and a line for each thing that was left out. */
export function describeVerification({ horizon, projectHorizons, ...verification }: Verification): string[] {
  const ofAll =
    horizon &&
    `Raw clicks are kept since ${formatMinute(horizon.keptSince)}. Counters before ${formatMinute(horizon.completeSince)} cannot be recomputed and were skipped.`
  const ofProjects = projectHorizons.map(
    ({ project, completeSince }) =>
      `Raw clicks of the project "${project}" were archived: its counters before ${formatMinute(completeSince)} cannot be recomputed and were skipped.`,
  )
  return [describeComparison(verification), ...(ofAll === null ? [] : [ofAll]), ...ofProjects]
}

function describeComparison({
  clicks,
  counters,
  differences,
  from,
  to,
}: Omit<Verification, 'horizon' | 'projectHorizons'>): string {
  const minutes = from === null || to === null ? undefined : `from ${formatMinute(from)} to ${formatMinute(to)}`
  if (minutes === undefined && differences === 0) return 'There are neither clicks nor counters in this time range.'
  const what = [plural(clicks, 'click'), 'and', plural(counters, 'counter'), minutes].filter(Boolean).join(' ')
  return differences === 0
    ? `${what}: no difference.`
    : `${what}: ${formatCount(differences)} ${differences === 1 ? 'DIFFERENCE' : 'DIFFERENCES'}.`
}
