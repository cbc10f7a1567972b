import { userInfo } from 'node:os'
import { maxCharsOf } from '@clicktally/event/event-fields.ts'
import { formatCount, withProgress } from '@clicktally/terminal/progress.ts'
import { type Command, InvalidArgumentError } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { usageError } from '../cli-error.ts'
import { confirmed } from '../confirm.ts'
import { jsonLine } from '../json-line.ts'
import { plural } from '../letters/letter-totals.ts'
import { withDatabase } from '../system/database.ts'
import { findSystem } from '../system/system-access.ts'
import { type Forgotten, forgetVisitor } from '../visitors/forget-visitor.ts'

interface Options {
  readonly project?: string
  readonly yes?: true
  readonly json?: true
}

const help = `
Removes the id from raw clicks and from the content of dead letters, and recomputes the counters of these clicks: counts stay
the same, unique visitors do not include the visitor any more. Clicks may arrive all the while. If it is interrupted, run it
again. The audit log records who forgot whom and when, with a hash in place of the id.

What it cannot forget:
  - Clicks that are still on their way. Run it again when "balance" shows that nothing is in flight.
  - Counters from before the horizon of raw clicks: of the visitor they keep a hash of 31 bits.
  - An id in "url", "referrer", "target" or "props".
  - Archives, until the next run of the janitor an hour or more later.
  - Exports and backups, and the write-ahead log of the database until it is recycled.
A derived visitor cannot be found by address or user agent: these are not stored, and the salt is deleted after 48 hours.
See docs/privacy.md.`

export function registerVisitors(program: Command, context: CliContext): void {
  const visitors = program.command('visitors').description('forgets visitors')
  visitors
    .command('forget')
    .description('removes a visitor from clicks, counters and dead letters')
    .argument('<visitorId>', 'the id exactly as it was sent', visitorId)
    .option('--project <name>', 'only in this project; default: in every project')
    .option('--yes', 'do not ask for confirmation; required without a terminal')
    .option('--json', 'print one JSON object')
    .addHelpText('after', help)
    .action((id: string, options: Options) => forget(context, id, options))
}

async function forget(context: CliContext, visitorId: string, { project, yes, json }: Options): Promise<void> {
  const { databaseUrl } = await findSystem(context, ['databaseUrl'])
  await withDatabase(databaseUrl, async (db) => {
    const projects = await db.selectFrom('projects').select(['id', 'name']).orderBy('id').execute()
    const chosen = projects.find(({ name }) => name === project)
    if (project !== undefined && chosen === undefined) {
      throw usageError(`There is no project "${project}". Projects: ${projects.map(({ name }) => name).join(', ')}.`)
    }
    const question = `Forget this visitor in ${project === undefined ? 'every project' : `the project "${project}"`}? This cannot be undone.`
    if (!yes && !(await confirmed(context, question))) {
      context.print('Nothing was changed.')
      context.exitCode = 1
      return
    }
    const interruption = context.takeInterruption()
    const progress = { label: 'Forgetting', unit: 'pages', total: 0 }
    const forgotten = await withProgress(context.notices, progress, (onProgress) => {
      const who = { visitorId, projectId: chosen?.id, operatorName: userInfo().username }
      return forgetVisitor(db, { ...who, interruption, onProgress })
    })
    if (json) context.print(jsonLine(forgotten))
    else for (const line of describeForgotten(forgotten)) context.print(line)
    if (forgotten.unreadableLetters.length > 0) context.exitCode = 1
    if (forgotten.isInterrupted) context.exitCode = 130
  })
}

function describeForgotten(forgotten: Forgotten): string[] {
  const { clicks, clicksBeforeHorizon, counters, letters, unreadableLetters, isInterrupted } = forgotten
  const lines = [
    clicks + letters === 0
      ? 'No click and no dead letter has this visitor.'
      : `The visitor was removed from ${plural(clicks, 'click')} and ${plural(letters, 'dead letter')}. ${plural(counters, 'counter')} changed.`,
  ]
  if (clicksBeforeHorizon > 0) {
    lines.push(
      `The counters of ${formatCount(clicksBeforeHorizon)} of them cannot be recomputed, because raw clicks of their minutes were dropped. They keep a hash of the visitor.`,
    )
  }
  if (unreadableLetters.length > 0) {
    lines.push(
      `Dead letters that cannot be read still contain the text of the id: ${unreadableLetters.join(', ')}. See "dead show" and "dead discard".`,
    )
  }
  if (isInterrupted) lines.push('Interrupted: run it again to forget the rest.')
  return lines
}

function visitorId(text: string): string {
  if (text === '' || text.length > maxCharsOf('visitorId')) {
    throw new InvalidArgumentError(`Expected 1 to ${maxCharsOf('visitorId')} characters.`)
  }
  return text
}
