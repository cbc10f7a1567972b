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
 * The next open letters after `afterId`, the oldest first, locked until the transaction ends: at most `maxLetters`, of
 * which as many are returned as have `maxBytes` together, and at least one. Letters that another has locked are passed
 * over.
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
