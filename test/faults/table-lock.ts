import type { Stage } from './stage.ts'

/** Calls `act` while no other connection can write to a table. */
export async function withTableLocked(stage: Stage, table: string, act: () => Promise<void>): Promise<void> {
  const client = await stage.system.pool.connect()
  try {
    await client.query('begin')
    // Otherwise the server would close this connection, which would release the lock.
    await client.query('set local idle_in_transaction_session_timeout = 0')
    await client.query(`lock table ${table} in share row exclusive mode`)
    await act()
    await client.query('rollback')
  } finally {
    client.release(true)
  }
}
