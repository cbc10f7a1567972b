import type { PoolClient } from 'pg'
import type { Logger } from 'pino'
import { olderSnapshotsEnd } from './older-snapshots.ts'

/** Of an entry of the primary key of `clicks` in a newly made index. */
const bytesPerClick = 41
/** The same in an index whose pages are filled. */
const filledBytesPerClick = 37
/** How much larger than a newly made one the key of counters may be. */
const maxGrowth = 1.3
/** Smaller ones are not worth it. */
const defaultMinBytes = 2 * 1024 * 1024

export interface CompactionOptions {
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly minBytes?: number
  /** How long to wait for what others read. Default: a minute. */
  readonly patienceMs?: number
}

/**
 * Makes primary keys anew if they take more space than they need, without blocking anybody. Processors write batches of
 * overlapping times, and folds the targets of an hour in parts, so that pages of the index are split in halves that are never filled
 * (decision 0044).
 *
 * Clicks of past days. A day after which late clicks may still come: if a fifth is saved. Pages then have room for a tenth more. Older days:
 * if a twentieth is saved, and pages are filled. Counters of hours, days and months: if a quarter is saved.
 *
 * Nothing is done while somebody reads for long, such as a backup: a key that is made anew waits for that, and is left behind when
 * the time of its statement is over.
 *
 * @param client whose session holds the lock of the janitor, and is closed afterwards
 * @returns the names of the keys
 * @throws the database error. The next run removes what is left behind.
 */
export async function compactKeys(
  client: PoolClient,
  { logger, signal, minBytes = defaultMinBytes, patienceMs }: CompactionOptions,
): Promise<string[]> {
  const isFree = async () => {
    if (await olderSnapshotsEnd(client, signal, patienceMs)) return true
    logger.info('keys are not compacted while somebody reads for long')
    return false
  }
  // Dropping what was left behind would keep everybody else waiting.
  if (!(await isFree())) return []
  await client.query('select drop_unfinished_keys()')
  const { rows } = await client.query<{ key: string; partition: string | null; isFilled: boolean }>(
    `select indexrelid::regclass::text as key, inhrelid::regclass::text as partition, ended < now() - interval '4 days' as "isFilled"
     from pg_inherits
     cross join click_partition_end(inhrelid::regclass::text) as ended
     join pg_index on indrelid = inhrelid and indisprimary
     join pg_class on pg_class.oid = inhrelid
     where inhparent = 'clicks'::regclass and has_table_privilege(inhrelid, 'maintain')
       -- Most clicks have come by then, and clocks may differ. Clicks that are older than 72 hours are refused.
       and ended < now() - interval '1 hour'
       and pg_relation_size(indexrelid) > greatest($1,
         reltuples * case when ended < now() - interval '4 days' then 1.05 * $3::int else 1.2 * $2::int end)
       -- Not known before the partition was vacuumed or analyzed.
       and reltuples > 0
     union all
     select indexrelid::regclass::text, null, false
     from pg_class
     join pg_index on indrelid = pg_class.oid and indisprimary
     join pg_stats on schemaname = 'public' and tablename = relname and attname = 'target'
     where pg_class.oid in ('hour_counters'::regclass, 'day_counters'::regclass, 'month_counters'::regclass)
       and has_table_privilege(pg_class.oid, 'maintain')
       -- An entry: line pointer and header, 12 bytes; start and project, 12; target; aligned to 8. A tenth of each page stays free.
       and pg_relation_size(indexrelid) > greatest($1, $4 * reltuples * (4 + 8 * ceil((20 + avg_width) / 8.0)) / 0.9)
     order by 1`,
    [minBytes, bytesPerClick, filledBytesPerClick, maxGrowth],
  )
  const compacted: string[] = []
  for (const { key, partition, isFilled } of rows) {
    if (signal.aborted || !(await isFree())) break
    // It waits for all who read or write the partition, but nobody waits for it.
    await client.query('set lock_timeout = 0')
    try {
      if (isFilled) await client.query('select fill_key($1)', [partition])
      await client.query(`reindex index concurrently ${key}`)
    } finally {
      await client.query('reset lock_timeout')
    }
    logger.info({ key }, 'key compacted')
    compacted.push(key)
  }
  return compacted
}
