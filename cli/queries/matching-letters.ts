import type { Tables } from '@clicktally/database/tables.ts'
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely'

/** Which dead letters a command is about. What is left out excludes none. */
export interface LetterFilter {
  readonly ids?: readonly number[]
  readonly reasons?: readonly string[]
  readonly since?: Date
  readonly until?: Date
  /** Only those that wait for a person. */
  readonly open?: boolean
  /** The newest letter that there was when the command began: later ones are none of its business. */
  readonly upToId?: number
}

/** The filter as a condition. */
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
