import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import { type LetterFilter, matching } from './matching-letters.ts'

export interface LetterTotal {
  readonly reason: string
  readonly letters: number
  readonly clicks: number
}

/** Returns the number of matching letters by reason, most frequent first, and the newest id. */
export async function letterTotals(
  db: Kysely<Tables>,
  filter: LetterFilter,
): Promise<{ totals: LetterTotal[]; letters: number; clicks: number; newestId: number }> {
  const rows = await db
    .selectFrom('dead_letters')
    .select(({ fn }) => [
      'reason',
      fn.countAll<number>().as('letters'),
      fn.sum<number>('clicks').as('clicks'),
      fn.max('id').as('newestId'),
    ])
    .where(matching(filter))
    .groupBy('reason')
    .orderBy('letters', 'desc')
    .orderBy('reason')
    .execute()
  return {
    totals: rows.map(({ reason, letters, clicks }) => ({ reason, letters, clicks })),
    letters: rows.reduce((sum, { letters }) => sum + letters, 0),
    clicks: rows.reduce((sum, { clicks }) => sum + clicks, 0),
    newestId: Math.max(0, ...rows.map(({ newestId }) => newestId)),
  }
}
