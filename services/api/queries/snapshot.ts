import { createPreparedDatabaseOn } from '@clicktally/database/connection.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { ServiceProblem } from '@clicktally/http/service-problem.ts'
import type { Kysely, Transaction } from 'kysely'
import type { PoolClient } from 'pg'
import type { ConnectionSource } from '../replica/fallback-pool.ts'

/**
 * Runs all queries of a response in one snapshot of one server. Behind a load balancer over replicas, `asOf` of one replica
 * would not apply to the counts of another.
 */
export function inSnapshot<Answer>(
  db: Kysely<Tables>,
  act: (transaction: Transaction<Tables>) => Promise<Answer>,
): Promise<Answer> {
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(act)
}

/** A connection in a transaction with one snapshot, for typed queries, which are prepared, and for COPY. */
export interface RawSnapshot {
  readonly db: Kysely<Tables>
  readonly client: PoolClient
}

/** Does the same with a connection that can be used directly. */
export async function inRawSnapshot<Answer>(
  pool: ConnectionSource,
  act: (snapshot: RawSnapshot) => Promise<Answer>,
): Promise<Answer> {
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query('begin isolation level repeatable read read only')
    const answer = await act({ db: createPreparedDatabaseOn(client), client })
    await client.query('commit')
    return answer
  } catch (error) {
    // A refused question leaves the connection as it was; any other error may not.
    failure = error instanceof ServiceProblem ? undefined : (error as Error)
    if (failure === undefined) await client.query('rollback')
    throw error
  } finally {
    client.release(failure)
  }
}
