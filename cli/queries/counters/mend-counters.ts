import { type BucketWidth, bucketWidths, ceilToBucket, floorToBucket } from '@clicktally/database/counter-buckets.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely'
import type { CounterKey } from './counter-differences.ts'
import { countersFromClicks } from './counters-from-clicks.ts'
import { summedBuckets } from './summed-buckets.ts'
import { unpackMinutes } from './unpack-minutes.ts'

const minuteMs = 60_000

/**
 * Recomputes these counters from the raw clicks, and the counters derived from them, while processors continue to count. Returns
 * how many were changed.
 *
 * It is exact: a processor adds clicks and their deltas in one transaction, and only the fold moves deltas into counters. While
 * this transaction holds the fold's lock, deltas stay. A statement that starts after that (read committed) sees some clicks, and
 * the deltas of those that are not folded. The minutes must hold the counts of these clicks minus these deltas. Later clicks bring
 * their own deltas. Visitors are a union, to which a delta may be added twice.
 *
 * No processor waits for this.
 *
 * @param keys with few minutes that are close together: all clicks between the first and the last minute are read
 * @param withinMs statement timeout; folds wait meanwhile
 * @param before runs first in the same transaction, which already holds the fold's lock
 */
export async function mendCounters(
  db: Kysely<Tables>,
  keys: readonly CounterKey[],
  withinMs: number,
  before?: (transaction: Transaction<Tables>) => Promise<void> | undefined,
): Promise<number> {
  return await db
    .transaction()
    .setIsolationLevel('read committed')
    .execute(async (transaction) => {
      await sql`set local statement_timeout = ${sql.lit(withinMs)}`.execute(transaction)
      await sql`select hold_counters()`.execute(transaction)
      await before?.(transaction)
      const ofTargets = keys.filter(({ bucket, target }) => bucket === 'minute' && target !== '')
      const minutes = keys.filter(({ bucket }) => bucket === 'minute')
      if (minutes.length > 0) await unpackMinutes(transaction, minutes)
      let mended = ofTargets.length === 0 ? 0 : await mendMinutes(transaction, ofTargets)
      await markStale(transaction, ofTargets)
      // From narrow to wide: wide buckets are derived from narrow ones.
      for (const width of bucketWidths.toReversed()) {
        const above = keys.flatMap((key) => madeOfIt(width, key))
        if (above.length > 0) mended += await sumAnew(transaction, width, above)
      }
      return mended
    })
}

/** Returns the keys of this width to recompute: the given counters, and those derived from them. */
function madeOfIt(width: BucketWidth, { bucket, projectId, target, start }: CounterKey): CounterKey[] {
  if (bucketWidths.indexOf(width) > bucketWidths.indexOf(bucket)) return []
  const above = { bucket: width, projectId, start: new Date(floorToBucket(start.getTime(), width)) }
  const together = { ...above, target: '' }
  return width === 'minute' || target === '' ? [together] : [{ ...above, target }, together]
}

async function mendMinutes(transaction: Transaction<Tables>, keys: readonly CounterKey[]): Promise<number> {
  const times = keys.map(({ start }) => start.getTime())
  const from = new Date(Math.min(...times))
  const to = new Date(Math.max(...times) + minuteMs)
  const ofTheseKeys = sql`(project_id, target, minute) in (select project_id, target, start from key)`
  return await replace(
    transaction,
    'minute',
    keys,
    sql`
      select
        project_id, target, start,
        coalesce(stored.total, 0) - coalesce(waiting.total, 0) as total,
        coalesce(stored.bots, 0) - coalesce(waiting.bots, 0) as bots,
        coalesce(stored.visitors, '{}') as visitors
      from (${countersFromClicks(from, to, ofTheseKeys)}) as stored
      full join (
        select project_id, target, minute as start, sum(total) as total, sum(bots) as bots
        from counter_deltas
        where minute >= ${from} and minute < ${to}
          and (project_id, target, minute) in (select project_id, target, start from key)
        group by 1, 2, 3
      ) as waiting using (project_id, target, start)
      -- What has clicks in the deltas alone has no counter yet.
      where (coalesce(stored.total, 0), coalesce(stored.bots, 0))
        is distinct from (coalesce(waiting.total, 0)::bigint, coalesce(waiting.bots, 0)::bigint)`,
  )
}

/** The columns of these hours may lack the same clicks as their counters: they are packed again. */
async function markStale(transaction: Transaction<Tables>, keys: readonly CounterKey[]): Promise<void> {
  await sql`
    insert into stale_hours as mark (project_id, hour)
    select distinct project_id, date_trunc('hour', minute, 'UTC')
    from unnest(
      ${keys.map(({ projectId }) => projectId)}::int[],
      ${keys.map(({ start }) => start.toISOString())}::timestamptz[]) as key (project_id, minute)
    order by 1, 2
    on conflict (project_id, hour) do update set folds = mark.folds + 1`.execute(transaction)
}

async function sumAnew(
  transaction: Transaction<Tables>,
  width: BucketWidth,
  keys: readonly CounterKey[],
): Promise<number> {
  // Only the minutes of all targets together are derived.
  const ofTheseKeys =
    width === 'minute'
      ? sql`(project_id, below_start) in (select project_id, start from key)`
      : sql`(project_id, target, date_trunc(${sql.lit(width)}, below_start, 'UTC')) in (select project_id, target, start from key)`
  const times = keys.map(({ start }) => start.getTime())
  const near = { from: new Date(Math.min(...times)), to: new Date(ceilToBucket(Math.max(...times) + 1, width)) }
  const summed = summedBuckets(width, near, ofTheseKeys)
  return await replace(transaction, width, keys, width === 'minute' ? lessWaiting(summed) : summed)
}

/** Returns the minutes of all targets together from `together`, minus their unfolded deltas. */
function lessWaiting(together: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    select
      project_id, start, target,
      together.total - coalesce(waiting.total, 0) as total,
      together.bots - coalesce(waiting.bots, 0) as bots,
      together.visitors
    from (${together}) as together
    left join (
      select project_id, minute as start, sum(total) as total, sum(bots) as bots
      from counter_deltas
      where target = '' and (project_id, minute) in (select project_id, start from key)
      group by 1, 2
    ) as waiting using (project_id, start)
    -- What has clicks in the deltas alone has no counter yet.
    where (together.total, together.bots) is distinct from (coalesce(waiting.total, 0), coalesce(waiting.bots, 0))`
}

/** Replaces the counters of these keys by the rows of `truth`, which may use the table `key`; deletes counters without a row. */
async function replace(
  transaction: Transaction<Tables>,
  width: BucketWidth,
  keys: readonly CounterKey[],
  truth: RawBuilder<unknown>,
): Promise<number> {
  const table = sql.table(`${width}_counters`)
  const start = sql.ref(width)
  const { rows } = await sql<{ mended: number }>`
    with key as materialized (
      select distinct project_id, target, start
      from unnest(
        ${keys.map(({ projectId }) => projectId)}::int[],
        ${keys.map(({ target }) => target)}::text[],
        ${keys.map((key) => key.start.toISOString())}::timestamptz[])
      as key (project_id, target, start)
    ), truth as materialized (${truth}
    ), corrected as (
      insert into ${table} as counter (project_id, ${start}, target, total, bots, visitors)
      select project_id, start, target, total, bots, visitors from truth
      on conflict (project_id, ${start}, target) do update
        set total = excluded.total, bots = excluded.bots, visitors = excluded.visitors
        where (counter.total, counter.bots, counter.visitors) is distinct from (excluded.total, excluded.bots, excluded.visitors)
      returning 1
    ), removed as (
      delete from ${table} as counter using key
      where (counter.project_id, counter.target, counter.${start}) = (key.project_id, key.target, key.start)
        and not exists (
          select from truth
          where (truth.project_id, truth.target, truth.start) = (key.project_id, key.target, key.start))
      returning 1
    )
    select (select count(*) from corrected) + (select count(*) from removed) as mended`.execute(transaction)
  return rows[0]?.mended ?? 0
}
