import type { DatabaseAccount } from '@clicktally/system/parts.ts'

/** PostgreSQL's settings of a role, by name. */
type RoleSettings = Readonly<Record<string, string>>

const shared: RoleSettings = {
  lock_timeout: '5s',
  idle_in_transaction_session_timeout: '10s',
  // A statement whose client has given up the connection is cancelled after this time.
  client_connection_check_interval: '2s',
}

/**
 * Settings for sessions that cannot bring their own: behind a pooler such as PgBouncer a session belongs to many clients (createPool() in
 * packages/database). Direct connections bring stricter ones, for each pool. `statement_timeout` is that of the role's longest statements.
 */
export const roleSettings: Readonly<Record<DatabaseAccount, RoleSettings>> = {
  processor: { ...shared, statement_timeout: '120s' },
  // As the api sets them itself: services/api/main.ts has the reason.
  api: { ...shared, statement_timeout: '60s', max_parallel_workers_per_gather: '0', jit: 'off' },
  auth: { ...shared, statement_timeout: '5s' },
  notifier: { ...shared, statement_timeout: '5s' },
  janitor: { ...shared, statement_timeout: '600s', timezone: 'UTC' },
  operator: { ...shared, statement_timeout: '600s' },
}
