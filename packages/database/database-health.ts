import { type Kysely, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** A table that is updated or emptied all the time, so that autovacuum must keep up with it. */
export interface BusyTable {
  readonly table: string
  readonly liveRows: number
  /** Rows that were deleted or replaced and not yet vacuumed; queries read past them. */
  readonly deadRows: number
  /** Null if it was not vacuumed since the statistics began. */
  readonly vacuumedAt: Date | null
}

/** How the database is, apart from the clicks in it. */
export interface DatabaseHealth {
  readonly sizeBytes: number
  /** Of all roles to this database, and the server's limit for all databases. */
  readonly connections: number
  readonly maxConnections: number
  /** Servers that stream from it at the moment; 0 where the storage is replicated instead, as on Amazon Aurora. */
  readonly standbys: number
  /** Whether a commit waits until a standby has it on disk. */
  readonly isSynchronous: boolean
  /** Days after today (UTC) for whose clicks a partition exists. */
  readonly partitionsAhead: number
  /** Processors that have reported within the last 10 s. */
  readonly processorsReporting: number
  /** Before these times the counters are rolled up. */
  readonly hoursBefore: Date
  readonly daysBefore: Date
  readonly monthsBefore: Date
  readonly busyTables: readonly BusyTable[]
}

const busyTables = ['counter_deltas', 'messages', 'minute_counters', 'processor_progress', 'producers']

/** @throws the database error */
export async function readDatabaseHealth(db: Kysely<Tables>): Promise<DatabaseHealth> {
  const { rows } = await sql<DatabaseHealth>`
    select pg_database_size(current_database()) as "sizeBytes",
      (select count(*) from pg_stat_activity where datname = current_database()) as connections,
      current_setting('max_connections')::int as "maxConnections",
      -- Of the replication other roles see only that it exists.
      (select count(*) from pg_stat_replication) as standbys,
      current_setting('synchronous_standby_names') <> ''
        and current_setting('synchronous_commit') in ('on', 'remote_apply')
        -- Of the roles that write, too.
        and not exists (
          select from pg_db_role_setting, unnest(setconfig) as setting
          where setting ~ '^synchronous_commit=(?!on$|remote_apply$)'
        ) as "isSynchronous",
      (select count(*) from generate_series(1, 30) as ahead
        where to_regclass('public.clicks_' || to_char((now() at time zone 'UTC')::date + ahead, 'YYYYMMDD')) is not null
      ) as "partitionsAhead",
      (select count(*) from processor_progress where reported_at > clock_timestamp() - interval '10 s')
        as "processorsReporting",
      hours_before as "hoursBefore", days_before as "daysBefore", months_before as "monthsBefore"
    from rollup_horizon`.execute(db)
  const [health] = rows
  if (health === undefined) throw new Error('rollup_horizon has no row')
  const tables = await sql<BusyTable>`
    select relname as table, n_live_tup as "liveRows", n_dead_tup as "deadRows",
      greatest(last_vacuum, last_autovacuum) as "vacuumedAt"
    from pg_stat_user_tables where schemaname = 'public' and relname = any (${busyTables}) order by relname`.execute(db)
  return { ...health, busyTables: tables.rows }
}
