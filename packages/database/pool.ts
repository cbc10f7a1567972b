import { hostname } from 'node:os'
import { hostUrls } from '@clicktally/hosts/host-urls.ts'
import { type Pool, type PoolConfig, types } from 'pg'
import type { Logger } from 'pino'
import { ClusterPool, type ClusterPoolOptions } from './cluster-pool.ts'

export interface DatabaseOptions {
  /** With `?pooling=transaction` if it leads to a pooler such as PgBouncer in that mode: see createPool(). */
  readonly url: ClusterPoolOptions['url']
  /** Default: primary. */
  readonly accepts?: ClusterPoolOptions['accepts']
  /** What the connections are for; shown in pg_stat_activity. */
  readonly name: string
  readonly logger: Logger
  readonly maxConnections: number
  /** Milliseconds after which the server cancels a statement. */
  readonly statementTimeoutMs: number
  /** Milliseconds that connecting to a host may take; 3,000 by default. */
  readonly connectTimeoutMs?: number
  /** Server settings for these connections, by name. */
  readonly settings?: Readonly<Record<string, string>>
}

const int8 = 20
const numeric = 1700

/**
 * A connection pool with all timeouts set; pg's defaults wait for ever.
 *
 * Behind a pooler in transaction mode a session belongs to many clients, so nothing may be set for it, and PgBouncer refuses to: the
 * server's timeouts and `settings` are then those of the role (migrations/role-settings.ts), which suffice for its longest statements. The limits
 * of this pool are kept by giving up the connection; the server then cancels the statement.
 */
export function createPool(options: DatabaseOptions): Pool {
  const { url, accepts = 'primary', name, logger, maxConnections, statementTimeoutMs, settings } = options
  const isPooled = hostUrls(url).some((each) => new URL(each).searchParams.get('pooling') === 'transaction')
  const config: PoolConfig = {
    application_name: `clicktally ${name} ${hostname()} ${process.pid}`,
    max: maxConnections,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 3_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // The server's timeout does not help if the network is silent. This one, a little later, does.
    query_timeout: statementTimeoutMs + (isPooled ? 0 : 2_000),
    ...(!isPooled && {
      statement_timeout: statementTimeoutMs,
      lock_timeout: 5_000,
      idle_in_transaction_session_timeout: 10_000,
      ...(settings !== undefined && { options: optionsOf(settings) }),
    }),
    types: {
      // Counts are far below 2^53. pg would return them as strings.
      getTypeParser: ((oid: number, format?: 'text') =>
        oid === int8 || oid === numeric ? Number : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
    },
  }
  const pool = new ClusterPool(config, { url, accepts })
  pool.on('error', (error) => logger.warn({ err: error }, 'idle database connection lost'))
  // A client that is checked out has no other listener, and an error without one ends the process (node-postgres#3202).
  pool.on('connect', (client) => {
    client.on('error', (error) => logger.warn({ err: error }, 'database connection lost'))
  })
  return pool
}

function optionsOf(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
}
