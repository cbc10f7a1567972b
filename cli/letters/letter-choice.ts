import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { CliContext } from '../cli-context.ts'
import { requireLetters } from '../queries/letters/letter-resolutions.ts'
import { type LetterTotal, letterTotals } from '../queries/letters/letter-totals.ts'
import type { LetterFilter } from '../queries/letters/matching-letters.ts'

export interface LetterChoice {
  /** Finds these letters and none that die later. */
  readonly filter: LetterFilter
  readonly totals: readonly LetterTotal[]
  readonly letters: number
  readonly clicks: number
}

/**
 * The letters that were chosen and wait for a person. Says of those that were named by id and do not wait any more what has
 * become of them.
 * @throws {CliError} where a letter was named that does not exist
 */
export async function chooseLetters(
  context: CliContext,
  db: Kysely<Tables>,
  choice: LetterFilter,
): Promise<LetterChoice> {
  for (const { id, resolution } of choice.ids === undefined ? [] : await requireLetters(db, choice.ids)) {
    if (resolution !== null) context.notices.line(`Letter ${id} is ${resolution} already: left as it is.`)
  }
  const open = { ...choice, open: true }
  const { newestId, ...totals } = await letterTotals(db, open)
  return { filter: { ...open, upToId: newestId }, ...totals }
}
