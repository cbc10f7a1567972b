import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { PoolClient } from 'pg'

/** `minute_counters` grows to some megabytes between two hours. */
const defaultMinBytes = 64 * 1024 * 1024
/** Rewritten in a second or less. */
const fewRows = 200_000
const fewBytes = 256 * 1024 * 1024
/** The most bytes of a row of a TOAST table, with its header. */
const chunkBytes = 2_048
const lockNotAvailable = '55P03'

/**
 * Returns the space that an import leaves in tables of counters, if they can be rewritten quickly.
 *
 * Minutes: nearly all rows are packed into hours and deleted; the table and its index would stay as large as they were. Hours, days
 * and months: late clicks are added to them by each fold, which writes their sketches anew; most of the TOAST table is free then. It would
 * be used again, but only by more late clicks.
 *
 * @returns the tables that were rewritten. Not those that somebody reads for long: a later run tries again.
 */
export async function shrinkCounters(client: PoolClient, minBytes = defaultMinBytes): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select 'minute_counters' as name
     where case when pg_total_relation_size('minute_counters') > $1
       then not exists (select project_id from minute_counters offset $2) else false end
     union all
     select counters.relname
     from pg_class as counters join pg_class as toast on toast.oid = counters.reltoastrelid
     where counters.oid in ('hour_counters'::regclass, 'day_counters'::regclass, 'month_counters'::regclass)
       and has_table_privilege(counters.oid, 'maintain')
       and pg_relation_size(toast.oid) > $1
       -- Not known before the table was vacuumed.
       and toast.reltuples >= 0 and 2 * toast.reltuples * $3::int < pg_relation_size(toast.oid)
       and pg_total_relation_size(counters.oid) - pg_relation_size(toast.oid) < $4`,
    [minBytes, fewRows, chunkBytes, fewBytes],
  )
  const rewritten: string[] = []
  for (const { name } of rows) if (await rewrite(client, name)) rewritten.push(name)
  return rewritten
}

async function rewrite(client: PoolClient, table: string): Promise<boolean> {
  // Everybody else waits for this lock as well.
  await client.query(`set lock_timeout = '200ms'`)
  try {
    await client.query(`vacuum (full) ${table}`)
    return true
  } catch (error) {
    if (sqlStateOf(error) !== lockNotAvailable) throw error
    return false
  } finally {
    await client.query('reset lock_timeout')
  }
}
