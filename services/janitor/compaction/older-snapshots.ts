import { setTimeout as sleep } from 'node:timers/promises'
import type { PoolClient } from 'pg'

/** A question ends in this time. What does not may take hours, such as a backup. */
const defaultPatienceMs = 60_000
const pollMs = 200

/**
 * Waits until no other session sees rows as they were before the call: PostgreSQL waits for the same before an index that was made anew replaces
 * the old one. The role of the janitor may not read when the transactions of others began, so it waits to see which of them last.
 *
 * @param patienceMs default: a minute
 * @returns false if some still does after that, or when `signal` aborts
 */
export async function olderSnapshotsEnd(
  client: PoolClient,
  signal: AbortSignal,
  patienceMs = defaultPatienceMs,
): Promise<boolean> {
  const { rows: ids } = await client.query<{ now: string }>('select pg_current_xact_id()::text as now')
  const deadlineMs = performance.now() + patienceMs
  for (;;) {
    const { rows } = await client.query<{ are_older: boolean }>(
      // Vacuums have no user; nobody waits for them.
      `select exists (
         select from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and usesysid is not null
           and age(backend_xmin) >= age($1::text::xid8::xid)) as are_older`,
      [ids[0]?.now],
    )
    if (rows[0]?.are_older !== true) return true
    if (signal.aborted || performance.now() > deadlineMs) return false
    await sleep(pollMs)
  }
}
