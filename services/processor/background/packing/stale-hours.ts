import type { PoolClient } from 'pg'

/** An hour of a project to pack, and how often it had been folded. */
export interface StaleHour {
  readonly projectId: number
  readonly hour: Date
  readonly folds: number
}

/** Bounds the memory of packing: each may hold two megabytes. The others follow in further steps. */
const maxHours = 100

/**
 * A condition of SQL: whether the clicks of an hour are all still stored. An hour from before the horizon of its project keeps the columns
 * that it has.
 *
 * @param table has the columns `project_id` and `hour`
 */
export function canBePacked(table: string): string {
  return `${table}.hour >= (select complete_since from raw_clicks) and not exists (
    select from project_horizons as horizon
    where horizon.project_id = ${table}.project_id and ${table}.hour < horizon.complete_since)`
}

/**
 * The next hours to pack, all of one day. They have been over for five minutes and have been stale for two, so that clicks that
 * trickle in late are packed together, and their clicks are all still stored. The last hours come first, then the one that has been stale
 * for the longest time.
 *
 * A day at a time, because finding the clicks of an hour takes about as long as reading a thousand of them: they may be in any partition.
 *
 * @param client in a transaction that keeps other processes from packing. Empty if nothing is due.
 * @throws the database error
 */
export async function nextStaleHours(client: PoolClient): Promise<StaleHour[]> {
  const { rows } = await client.query<StaleHour>(
    `with due as materialized (
       select project_id, hour, folds, stale_since from stale_hours
       where hour <= now() - interval '65 minutes' and stale_since <= now() - interval '2 minutes'
         and ${canBePacked('stale_hours')}
     ), next as (
       select hour from due order by greatest(hour, now() - interval '3 hours') desc, stale_since, hour limit 1
     )
     select project_id as "projectId", due.hour, folds
     from due, next
     where date_trunc('day', due.hour, 'UTC') = date_trunc('day', next.hour, 'UTC')
     order by due.hour <> next.hour, due.hour, project_id limit $1`,
    [maxHours],
  )
  return rows
}

/** Removes the marks of packed hours. Those that a fold has changed since stay, for another two minutes. */
export async function releaseHours(client: PoolClient, hours: readonly StaleHour[]): Promise<void> {
  await client.query(
    `with locked as materialized (
       -- In the order in which folds lock them.
       select mark.project_id, mark.hour, mark.folds = packed.folds as is_packed
       from stale_hours as mark
       join unnest($1::int[], $2::timestamptz[], $3::bigint[]) as packed (project_id, hour, folds) using (project_id, hour)
       order by mark.project_id, mark.hour
       for update of mark
     ), released as (
       delete from stale_hours as mark using locked
       where is_packed and mark.project_id = locked.project_id and mark.hour = locked.hour
     )
     update stale_hours as mark set stale_since = clock_timestamp() from locked
     where not is_packed and mark.project_id = locked.project_id and mark.hour = locked.hour`,
    [hours.map(({ projectId }) => projectId), hours.map(({ hour }) => hour), hours.map(({ folds }) => folds)],
  )
}
