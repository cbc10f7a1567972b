import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { lockLetters } from '../queries/letters/lock-letters.ts'
import type { LetterFilter } from '../queries/letters/matching-letters.ts'
import { markReplayed } from '../queries/letters/resolve-letters.ts'
import type { LetterPublisher } from './letter-publisher.ts'

export interface Replayed {
  letters: number
  clicks: number
}

export interface ReplayOptions {
  readonly db: Kysely<Tables>
  readonly publisher: Pick<LetterPublisher, 'publish'>
  readonly filter: LetterFilter
  /** Ends the replay after the letters in hand. */
  readonly interruption: AbortSignal
  readonly onReplayed: (replayed: Replayed) => void
}

/** In one transaction: published together, they wait for the broker's disk together. */
const maxLetters = 100
const maxBytes = 8 * 1024 * 1024

/**
 * Publishes the open letters that match, the oldest first, and marks each when the broker has it safe.
 *
 * A letter: open → locked → published → confirmed → marked, in one transaction for some letters. Whatever ends that
 * transaction before its commit leaves them open, to be replayed another time; those that were confirmed by then travel
 * twice, and their ids make them count once. Nobody else can take a letter that is locked.
 *
 * @throws what the first letter of those in hand met with; those that were confirmed beside it are marked
 */
export async function replayLetters({ db, publisher, filter, interruption, onReplayed }: ReplayOptions): Promise<void> {
  for (let afterId = 0; !interruption.aborted; ) {
    const batch = await db.transaction().execute(async (transaction) => {
      const letters = await lockLetters(transaction, filter, afterId, maxLetters, maxBytes)
      const outcomes = await Promise.allSettled(letters.map((letter) => publisher.publish(letter)))
      const confirmed = letters.filter((_, index) => outcomes[index]?.status === 'fulfilled')
      if (confirmed.length > 0)
        await markReplayed(
          transaction,
          confirmed.map(({ id }) => id),
        )
      return { letters, confirmed, failure: outcomes.find((outcome) => outcome.status === 'rejected') }
    })
    const last = batch.letters.at(-1)
    if (last === undefined) return
    afterId = last.id
    onReplayed({
      letters: batch.confirmed.length,
      clicks: batch.confirmed.reduce((sum, { clicks }) => sum + clicks, 0),
    })
    if (batch.failure !== undefined) throw batch.failure.reason
  }
}
