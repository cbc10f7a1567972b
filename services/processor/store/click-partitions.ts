import type { Pool } from 'pg'

export const dayMs = 86_400_000
/** Partitions exist from 3 days back (a click may be up to 72 h old) to 7 days ahead (an id may be up to 24 h ahead). Older
 * ones are created when a click needs them. */
const daysBack = 3
const daysAhead = 7

/** Creates the missing partitions for clicks of the days around this time. @throws the database error */
export async function createPartitionsAround(pool: Pool, nowMs: number): Promise<void> {
  for (let day = -daysBack; day <= daysAhead; day += 1) await createPartition(pool, nowMs + day * dayMs)
}

/** Creates the partition for clicks of this day (UTC), unless it exists. @throws the database error */
export async function createPartition(pool: Pool, timeMs: number): Promise<void> {
  await pool.query('select create_click_partition($1::date)', [new Date(timeMs).toISOString().slice(0, 10)])
}
