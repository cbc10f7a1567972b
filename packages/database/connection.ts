import { Kysely, PostgresDialect } from 'kysely'
import type { Pool, PoolClient } from 'pg'
import type { Tables } from './tables.ts'

/** Typed queries over the pool. Destroying it ends the pool. */
export function createDatabase(
  pool: Pick<Pool, 'end' | 'options'> & { connect(): Promise<PoolClient> },
): Kysely<Tables> {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
}

/** Typed queries over a connection that is checked out, for example in a transaction. It stays checked out. */
export function createDatabaseOn(client: Pick<PoolClient, 'query'>): Kysely<Tables> {
  const connection = { query: client.query.bind(client), release: () => {} } as unknown as PoolClient
  const pool = { connect: async () => connection, end: async () => {} } as unknown as Pool
  return createDatabase(pool)
}

/**
 * The same with prepared statements, for statements of few forms that are executed often: PostgreSQL parses each once for each
 * connection, plans it once if all values get the same plan, and keeps it while the connection is open.
 */
export function createPreparedDatabaseOn(client: Pick<PoolClient, 'query'>): Kysely<Tables> {
  const query = (text: string, values: unknown[]) => client.query({ name: statementName(text), text, values })
  return createDatabaseOn({ query: query as PoolClient['query'] })
}

const statementNames = new Map<string, string>()

function statementName(text: string): string {
  const name = statementNames.get(text) ?? `statement ${statementNames.size + 1}`
  statementNames.set(text, name)
  return name
}
