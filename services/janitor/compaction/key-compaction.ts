import type { PoolClient } from 'pg'
import type { Logger } from 'pino'

/** Of an entry of the primary key of `clicks` in a newly made index. */
const bytesPerClick = 41
/** Smaller ones are not worth it. */
const defaultMinBytes = 2 * 1024 * 1024

export interface CompactionOptions {
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly minBytes?: number
}

/**
 * Makes the primary keys of past days anew if they take at least a fifth more space than they need, without blocking anybody. Processors
 * write batches of overlapping times, so that pages of the index are split in halves that are never filled (decision 0044).
 *
 * @param client whose session holds the lock of the janitor, and is closed afterwards
 * @returns the names of the keys
 * @throws the database error. The next run removes what is left behind.
 */
export async function compactKeys(
  client: PoolClient,
  { logger, signal, minBytes = defaultMinBytes }: CompactionOptions,
): Promise<string[]> {
  await client.query('select drop_unfinished_keys()')
  const { rows } = await client.query<{ key: string }>(
    `select indexrelid::regclass::text as key
     from pg_inherits
     join pg_index on indrelid = inhrelid and indisprimary
     join pg_class on pg_class.oid = inhrelid
     where inhparent = 'clicks'::regclass and has_table_privilege(inhrelid, 'maintain')
       -- Hardly any clicks come later than that, and clocks may differ.
       and click_partition_end(inhrelid::regclass::text) < now() - interval '1 hour'
       and pg_relation_size(indexrelid) > greatest($1, 1.2 * $2 * reltuples)
       -- Not known before the partition was vacuumed or analyzed.
       and reltuples > 0
     order by 1`,
    [minBytes, bytesPerClick],
  )
  const compacted: string[] = []
  for (const { key } of rows) {
    if (signal.aborted) break
    // It waits for all who read or write the partition, but nobody waits for it.
    await client.query('set lock_timeout = 0')
    try {
      await client.query(`reindex index concurrently ${key}`)
    } finally {
      await client.query('reset lock_timeout')
    }
    logger.info({ key }, 'key compacted')
    compacted.push(key)
  }
  return compacted
}
