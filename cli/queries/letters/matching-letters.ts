import type { Tables } from '@clicktally/database/tables.ts'
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'

/** Selects dead letters. Omitted fields select all. */
export interface LetterFilter {
  readonly ids?: readonly number[]
  readonly reasons?: readonly string[]
  readonly since?: Date
  readonly until?: Date
  /** Only unresolved ones. */
  readonly open?: boolean
  /** The newest letter when the command started; later ones are ignored. */
  readonly upToId?: number
}

/** Returns the filter as an SQL condition. */
export function matching({ ids, reasons, since, until, open, upToId }: LetterFilter) {
  return (letter: ExpressionBuilder<Tables, 'dead_letters'>): Expression<SqlBool> => {
    const conditions: Expression<SqlBool>[] = []
    if (ids !== undefined) conditions.push(sql<boolean>`id = any(${ids}::bigint[])`)
    if (reasons !== undefined) conditions.push(sql<boolean>`reason = any(${reasons}::text[])`)
    if (since !== undefined) conditions.push(letter('died_at', '>=', since))
    if (until !== undefined) conditions.push(letter('died_at', '<', until))
    if (open) conditions.push(letter('resolution', 'is', null))
    if (upToId !== undefined) conditions.push(letter('id', '<=', upToId))
    return letter.and(conditions)
  }
}
