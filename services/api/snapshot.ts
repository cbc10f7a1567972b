import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely, Transaction } from 'kysely'

/**
 * Has all queries of an answer see one server, and on it one moment. Behind an address that spreads connections over
 * replicas, `asOf` from one of them says nothing about the counts of another.
 */
export function inSnapshot<Answer>(
  db: Kysely<Tables>,
  act: (transaction: Transaction<Tables>) => Promise<Answer>,
): Promise<Answer> {
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(act)
}
