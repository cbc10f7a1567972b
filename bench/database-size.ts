import type { Client } from 'pg'

/** Bytes on disk, without the write-ahead log. */
export interface DatabaseSize {
  readonly whole: number
  /** The rows of `clicks`, in all partitions. */
  readonly clicks: number
  readonly clickIndexes: number
  /** Counters of all widths, what is not yet folded into them, and their indexes. */
  readonly counters: number
  /** `messages` and `producers` with their indexes. */
  readonly ledger: number
}

/** Reads the sizes after a checkpoint, so that what is in memory alone is on disk. */
export async function readDatabaseSize(client: Client): Promise<DatabaseSize> {
  await client.query('checkpoint')
  const { rows } = await client.query<DatabaseSize>(
    `with sized as (
       select relname as name, pg_table_size(oid)::float8 as rows, pg_indexes_size(oid)::float8 as indexes
       from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
     )
     select
       pg_database_size(current_database())::float8 as whole,
       coalesce(sum(rows) filter (where name ~ '^clicks_[0-9]'), 0) as clicks,
       coalesce(sum(indexes) filter (where name ~ '^clicks_[0-9]'), 0) as "clickIndexes",
       coalesce(sum(rows + indexes) filter (where name ~ 'counter'), 0) as counters,
       coalesce(sum(rows + indexes) filter (where name in ('messages', 'producers')), 0) as ledger
     from sized`,
  )
  const [size] = rows
  if (size === undefined) throw new Error('the sizes have no row')
  return size
}
