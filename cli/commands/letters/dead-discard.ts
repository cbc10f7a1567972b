import type { Tables } from '@clicktally/database/tables.ts'
import { printable } from '@clicktally/terminal/printable.ts'
import { withProgress } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../../cli-context.ts'
import { confirmedByCount } from '../../confirm.ts'
import { chooseLetters, type LetterChoice } from '../../letters/letter-choice.ts'
import { describeContent, firstLineBytes } from '../../letters/letter-content.ts'
import { addFilterOptions, choiceOf, type FilterOptions, letterId } from '../../letters/letter-options.ts'
import { describeLetters, describeTotals } from '../../letters/letter-totals.ts'
import { deadLetters } from '../../queries/letters/dead-letters.ts'
import { letterTotals } from '../../queries/letters/letter-totals.ts'
import { discardLetters } from '../../queries/letters/resolve-letters.ts'
import { withDatabase } from '../../system/database.ts'
import { findSystem } from '../../system/system-access.ts'

interface Options extends FilterOptions {
  readonly all?: true
  readonly yes?: true
}

const lettersAtOnce = 500
const lettersShown = 10

export function registerDeadDiscard(dead: Command, context: CliContext): void {
  addFilterOptions(dead.command('discard'))
    .description('deletes the content of dead letters; the balance counts their clicks as discarded')
    .argument('[id...]', 'ids from "dead list"', letterId)
    .option('--all', 'every letter that waits')
    .option('--yes', 'do not ask for confirmation; required without a terminal')
    .action(async (ids: number[], options: Options) => {
      const choice = choiceOf(ids, options)
      const { databaseUrl } = await findSystem(context, ['databaseUrl'])
      await withDatabase(databaseUrl, async (db) => {
        const chosen = await chooseLetters(context, db, choice)
        if (chosen.letters === 0) {
          context.print('Nothing to discard.')
          return
        }
        await showExamples(context, db, chosen)
        const question = `Discard ${describeTotals(chosen.letters, chosen.clicks, chosen.totals)}?`
        const sure = options.yes || (await confirmedByCount(context, question, chosen.letters))
        if (sure) await discard(context, db, chosen)
        else context.print('Nothing was discarded.')
      })
    })
}

async function showExamples(context: CliContext, db: Kysely<Tables>, { filter, letters }: LetterChoice): Promise<void> {
  for (const letter of await deadLetters(db, filter, lettersShown, firstLineBytes)) {
    const { id, reason, content, type } = letter
    context.notices.line(`  ${id}  ${printable(reason)}  ${describeContent(content, type)}`)
  }
  if (letters > lettersShown) context.notices.line('  …')
}

async function discard(context: CliContext, db: Kysely<Tables>, { filter, letters }: LetterChoice): Promise<void> {
  const interruption = context.takeInterruption()
  const done = { letters: 0, clicks: 0 }
  const progress = { label: 'Giving up', unit: 'letters', total: letters }
  await withProgress(context.notices, progress, async (update) => {
    while (!interruption.aborted) {
      const discarded = await discardLetters(db, filter, lettersAtOnce)
      if (discarded.letters === 0) return
      done.letters += discarded.letters
      done.clicks += discarded.clicks
      update(done.letters)
    }
  })
  context.print(`Discarded ${describeLetters(done.letters, done.clicks)}.`)
  const left = await letterTotals(db, filter)
  if (left.letters > 0) {
    const why = interruption.aborted ? 'were not discarded' : 'are being replayed by another process'
    context.notices.line(`${describeLetters(left.letters, left.clicks)} of them ${why}.`)
    context.exitCode = interruption.aborted ? 130 : 1
  }
}
