import type { Stage } from './stage.ts'

/** Does something while nobody else can use a table. */
export async function withTableLocked(stage: Stage, table: string, act: () => Promise<void>): Promise<void> {
  const client = await stage.system.pool.connect()
  try {
    await client.query('begin')
    // This one would be ended, and its lock with it, like any other that waits in a transaction.
    await client.query('set local idle_in_transaction_session_timeout = 0')
    await client.query(`lock table ${table} in share row exclusive mode`)
    await act()
    await client.query('rollback')
  } finally {
    client.release(true)
  }
}
