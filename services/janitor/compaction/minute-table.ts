import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { PoolClient } from 'pg'

/** The table grows to some megabytes between two hours. */
const defaultMinBytes = 64 * 1024 * 1024
/** They are rewritten in a second or less. */
const fewRows = 200_000
const lockNotAvailable = '55P03'

/**
 * Returns the space of packed minutes. After an import nearly all rows of `minute_counters` are packed into hours, and deleted; the table
 * and its index would stay as large as they were. Rewrites the rows that are left, if they are few.
 *
 * @returns whether it did. Not if somebody reads the table for long: a later run tries again.
 */
export async function shrinkMinutes(client: PoolClient, minBytes = defaultMinBytes): Promise<boolean> {
  const { rows } = await client.query<{ is_due: boolean }>(
    `select case when pg_total_relation_size('minute_counters') > $1
       then not exists (select project_id from minute_counters offset $2) else false end as is_due`,
    [minBytes, fewRows],
  )
  if (rows[0]?.is_due !== true) return false
  // Everybody else waits for this lock as well.
  await client.query(`set lock_timeout = '200ms'`)
  try {
    await client.query('vacuum (full) minute_counters')
    return true
  } catch (error) {
    if (sqlStateOf(error) !== lockNotAvailable) throw error
    return false
  } finally {
    await client.query('reset lock_timeout')
  }
}
