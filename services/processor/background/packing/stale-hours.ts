import type { PoolClient } from 'pg'

/** An hour to pack, and for each project that has it how often it had been folded. */
export interface StaleHour {
  readonly hour: Date
  readonly projects: readonly { readonly projectId: number; readonly folds: number }[]
}

/** Bounds the memory of packing: each may hold two megabytes. The others follow in further steps. */
const maxProjects = 100

/**
 * The next hour to pack: one that has been over for five minutes and has been stale for two, so that clicks that trickle in late
 * are packed together, and whose clicks are all still stored. The last hours come first, then the one that has been stale for the longest time.
 *
 * @param client in a transaction that keeps other processes from packing. Undefined if nothing is due.
 * @throws the database error
 */
export async function nextStaleHour(client: PoolClient): Promise<StaleHour | undefined> {
  const { rows } = await client.query<{ hour: Date; project_id: number; folds: number }>(
    `with due as materialized (
       select project_id, hour, folds, stale_since from stale_hours
       where hour <= now() - interval '65 minutes' and stale_since <= now() - interval '2 minutes'
         and hour >= (select complete_since from raw_clicks)
         and not exists (
           select from project_horizons as horizon
           where horizon.project_id = stale_hours.project_id and hour < horizon.complete_since)
     ), next as (
       select hour from due order by greatest(hour, now() - interval '3 hours') desc, stale_since, hour limit 1
     )
     select hour, project_id, folds from due join next using (hour) order by project_id limit $1`,
    [maxProjects],
  )
  const [first] = rows
  if (first === undefined) return undefined
  return { hour: first.hour, projects: rows.map(({ project_id: projectId, folds }) => ({ projectId, folds })) }
}

/** Removes the marks of a packed hour. One that a fold has changed since stays, for another two minutes. */
export async function releaseHour(client: PoolClient, { hour, projects }: StaleHour): Promise<void> {
  // One after the other, in the order in which folds lock them.
  for (const { projectId, folds } of projects) {
    const { rowCount } = await client.query(
      'delete from stale_hours where project_id = $1 and hour = $2 and folds = $3',
      [projectId, hour, folds],
    )
    if (rowCount === 0) {
      await client.query('update stale_hours set stale_since = clock_timestamp() where project_id = $1 and hour = $2', [
        projectId,
        hour,
      ])
    }
  }
}
