import type { Tables } from '@clicktally/database/tables.ts'
import { sql, type Transaction } from 'kysely'
import { type LetterFilter, matching } from './matching-letters.ts'

export interface LockedLetter {
  readonly id: number
  readonly type: string | null
  readonly content: Buffer
  readonly clicks: number
}

/**
 * Locks the next unresolved letters after `afterId`, oldest first, until the end of the transaction. Returns at most `maxLetters`
 * and about `maxBytes`, but at least one. Skips letters that are locked by other transactions.
 */
export async function lockLetters(
  transaction: Transaction<Tables>,
  filter: LetterFilter,
  afterId: number,
  maxLetters: number,
  maxBytes: number,
): Promise<LockedLetter[]> {
  return await transaction
    .with('locked', (query) =>
      query
        .selectFrom('dead_letters')
        .select(['id', 'type', 'content', 'clicks'])
        .where(matching({ ...filter, open: true }))
        .where('id', '>', afterId)
        .orderBy('id')
        .limit(maxLetters)
        .forUpdate()
        .skipLocked(),
    )
    .with('measured', (query) =>
      query
        .selectFrom('locked')
        .selectAll()
        .select(
          sql<number>`sum(octet_length(content)) over (order by id rows unbounded preceding exclude current row)`.as(
            'bytes_before',
          ),
        ),
    )
    .selectFrom('measured')
    .select(['id', 'type', 'content', 'clicks'])
    .where(sql<boolean>`coalesce(bytes_before, 0) < ${maxBytes}::bigint`)
    .orderBy('id')
    .execute()
}
