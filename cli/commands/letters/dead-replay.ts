import type { Tables } from '@clicktally/database/tables.ts'
import { withProgress } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { Kysely } from 'kysely'
import type { CliContext } from '../../cli-context.ts'
import { confirmed } from '../../confirm.ts'
import { chooseLetters, type LetterChoice } from '../../letters/letter-choice.ts'
import { addFilterOptions, choiceOf, type FilterOptions, letterId } from '../../letters/letter-options.ts'
import { LetterPublisher } from '../../letters/letter-publisher.ts'
import { describeLetters, describeTotals } from '../../letters/letter-totals.ts'
import { type Replayed, replayLetters } from '../../letters/replay.ts'
import { letterTotals } from '../../queries/letters/letter-totals.ts'
import { withDatabase } from '../../system/database.ts'
import { findSystem } from '../../system/system-access.ts'

interface Options extends FilterOptions {
  readonly all?: true
  readonly yes?: true
}

const help = `
Each letter is published to the click queue again, and marked as replayed when the broker confirms it. Clicks that were already
counted are not counted again, so a replay can be interrupted and repeated at any time; two replays at once share the letters.
A click that still cannot be counted becomes a new dead letter.`

export function registerDeadReplay(dead: Command, context: CliContext): void {
  addFilterOptions(dead.command('replay'))
    .description('sends dead letters to the queue, to be counted')
    .argument('[id...]', 'ids from "dead list"', letterId)
    .option('--all', 'every letter that waits')
    .option('--yes', 'do not ask for confirmation; never asked without a terminal, since a replay is harmless')
    .addHelpText('after', help)
    .action(async (ids: number[], options: Options) => {
      const choice = choiceOf(ids, options)
      const { databaseUrl, brokerUrl } = await findSystem(context, ['databaseUrl', 'brokerUrl'])
      await withDatabase(databaseUrl, async (db) => {
        const chosen = await chooseLetters(context, db, choice)
        if (chosen.letters === 0) {
          context.print('Nothing to replay.')
          return
        }
        const asks = ids.length === 0 && !options.yes && context.ask !== undefined
        const question = `Replay ${describeTotals(chosen.letters, chosen.clicks, chosen.totals)}?`
        if (asks && !(await confirmed(context, question))) context.print('Nothing was replayed.')
        else await replay(context, db, brokerUrl, chosen)
      })
    })
}

async function replay(context: CliContext, db: Kysely<Tables>, brokerUrl: string, chosen: LetterChoice): Promise<void> {
  const interruption = context.takeInterruption()
  const publisher = await LetterPublisher.open(brokerUrl)
  const done: Replayed = { letters: 0, clicks: 0 }
  try {
    const progress = { label: 'Replaying', unit: 'letters', total: chosen.letters, withSpeed: true }
    await withProgress(context.notices, progress, async (update) => {
      const onReplayed = ({ letters, clicks }: Replayed) => {
        done.letters += letters
        done.clicks += clicks
        update(done.letters)
      }
      await replayLetters({ db, publisher, filter: chosen.filter, interruption, onReplayed })
    })
  } finally {
    const more = interruption.aborted ? ' Interrupted: the others were not replayed.' : ''
    context.print(`Replayed ${describeLetters(done.letters, done.clicks)}.${more}`)
    // If this fails, the ledger lacks the last report, but no click is lost.
    await publisher.report().catch(() => {})
    await publisher.close()
  }
  const left = await letterTotals(db, chosen.filter)
  if (left.letters > 0 && !interruption.aborted) {
    context.notices.line(
      `${describeLetters(left.letters, left.clicks)} of them are being replayed or discarded by another process; ` +
        'if it fails, replay them again.',
    )
  }
  context.notices.line('"balance" shows when they are counted, "dead list" which of them failed again.')
  if (interruption.aborted) context.exitCode = 130
}
