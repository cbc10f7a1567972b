import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, sql, type Transaction } from 'kysely'
import { type LetterFilter, matching } from './matching-letters.ts'

/** Marks letters, which this transaction has locked, as replayed. */
export async function markReplayed(transaction: Transaction<Tables>, ids: readonly number[]): Promise<void> {
  await transaction
    .updateTable('dead_letters')
    .set({ resolution: 'replayed', resolved_at: sql<Date>`now()` })
    .where(sql<boolean>`id = any(${ids}::bigint[])`)
    .execute()
}

/** Discards at most `maxLetters` unresolved letters and deletes their content. Skips those locked by other transactions. */
export async function discardLetters(
  db: Kysely<Tables>,
  filter: LetterFilter,
  maxLetters: number,
): Promise<{ letters: number; clicks: number }> {
  const discarded = await db
    .updateTable('dead_letters')
    .set({ resolution: 'discarded', resolved_at: sql<Date>`now()`, content: Buffer.alloc(0) })
    .where('id', 'in', (query) =>
      query
        .selectFrom('dead_letters')
        .select('id')
        .where(matching({ ...filter, open: true }))
        .orderBy('id')
        .limit(maxLetters)
        .forUpdate()
        .skipLocked(),
    )
    .returning('clicks')
    .execute()
  return { letters: discarded.length, clicks: discarded.reduce((sum, { clicks }) => sum + clicks, 0) }
}
