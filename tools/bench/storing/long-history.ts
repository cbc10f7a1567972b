import { setTimeout as sleep } from 'node:timers/promises'
import type { Click } from '@clicktally/event/click.ts'
import { allOrFirstError } from '@clicktally/local/services/launch-levels.ts'
import { type ClickRange, makeClicks, messagesOf } from '@clicktally/synthetic-clicks/click-messages.ts'
import type { Client } from 'pg'
import type { Stage } from '../measurement.ts'
import type { BenchSystem } from '../system/bench-system.ts'
import {
  createFreshDatabase,
  type FreshDatabase,
  readCountedClicks,
  voidReason,
  withClient,
} from '../system/databases.ts'
import { type RunningProgram, startService } from '../system/programs.ts'
import { fillClicks, purgeClicks } from '../system/queue.ts'
import { compact, packHours } from './packing.ts'
import { processedClicks, watchDrain } from './queue-drain.ts'

/** A database with the clicks of a year and one with few clicks, counted by processors like imported old clicks. */
export interface LongHistory {
  readonly large: FreshDatabase
  readonly small: FreshDatabase
  readonly largeClicks: number
  readonly smallClicks: number
  /** Clicks of the large database: spread evenly over the year, and over the last days. */
  readonly evenClicks: number
  readonly denseClicks: number
  readonly denseDays: number
  /** Rate at which the dense clicks were generated, sent and counted. */
  readonly clicksPerSecond: number
  /** Of the large database before and after the dense clicks, with all counters folded and rolled up, all hours packed, and keys compacted. */
  readonly sizeBefore: DatabaseSize
  readonly sizeAfter: DatabaseSize
  readonly voided: readonly string[]
}

/** Bytes on disk, without the write-ahead log. */
export interface DatabaseSize {
  readonly whole: number
  /** Rows of `clicks` in all partitions, and their primary key. */
  readonly clicks: number
  readonly clickIndexes: number
  /** Counters of all widths, deltas that are not yet folded, and their indexes. */
  readonly counters: number
  /** The clicks of packed hours by dimension, the values of dimensions, and sums by them, with their indexes. */
  readonly columns: number
  /** `messages` and `producers` with their indexes. */
  readonly ledger: number
}

export const yearMs = 365 * 86_400_000
const dayMs = 86_400_000
/** The short form has the same density: ten million clicks in ten days. */
const densePerDay = 1_000_000
const amounts = {
  full: { small: 10_000, even: 730_000, dense: 10_000_000 },
  short: { small: 10_000, even: 15_000, dense: 300_000 },
}
/** Clicks that could not be sent in this time are left out, to limit the duration of the run. */
const sendWithinMs = 270_000
const foldWithinMs = 420_000
/** Size up to which the table of deltas is considered empty. All counts read it. */
const emptyDeltaBytes = 8_000_000
const processors = 2
const maxQueuedClicks = 400_000

const histories = new WeakMap<BenchSystem, Promise<LongHistory>>()

/** Returns the history of the system. The first call creates it, which takes minutes. */
export async function longHistoryOf(stage: Stage): Promise<LongHistory> {
  const system = await stage.system()
  const known = histories.get(system)
  if (known !== undefined) return await known
  const created = createHistory(stage, system)
  histories.set(system, created)
  return await created
}

async function createHistory(stage: Stage, system: BenchSystem): Promise<LongHistory> {
  const { small: few, even, dense } = stage.short ? amounts.short : amounts.full
  await system.setProcessors(0)
  try {
    const nowMs = Date.now()
    const year = { fromMs: nowMs - yearMs, toMs: nowMs, receivedAtMs: nowMs }
    const denseDays = dense / densePerDay
    const small = await createFreshDatabase(system)
    const large = await createFreshDatabase(system)
    const load = async (database: FreshDatabase, range: ClickRange, what: string, from: number, to: number) =>
      await loadClicks(stage, system, database, range, (share) => stage.progress(what, from + (to - from) * share))
    const smallLoad = await load(small, { ...year, clicks: few, seed: 5 }, 'loading few clicks', 0, 0.03)
    const evenLoad = await load(large, { ...year, clicks: even, seed: 6 }, 'loading a year of clicks', 0.03, 0.15)
    await packHours(large, stage.signal)
    await compact(large, stage.signal)
    const sizeBefore = await withClient(large.ownerUrl, readDatabaseSize)
    const denseRange = { ...year, fromMs: nowMs - denseDays * dayMs, clicks: dense, seed: 7 }
    const denseLoad = await load(large, denseRange, 'loading many clicks', 0.15, 0.9)
    stage.progress('packing hours', 0.9)
    await packHours(large, stage.signal)
    await compact(large, stage.signal)
    const sizeAfter = await withClient(large.ownerUrl, readDatabaseSize)
    const largeClicks = evenLoad.clicks + denseLoad.clicks
    const voided = [
      voidReason('few', smallLoad.clicks, await withClient(small.ownerUrl, readCountedClicks)),
      voidReason('many', largeClicks, await withClient(large.ownerUrl, readCountedClicks)),
    ]
    return {
      ...{ large, small, largeClicks, smallClicks: smallLoad.clicks, evenClicks: evenLoad.clicks, denseDays },
      ...{ denseClicks: denseLoad.clicks, clicksPerSecond: denseLoad.clicksPerSecond, sizeBefore, sizeAfter },
      voided: voided.flatMap((reason) => reason ?? []),
    }
  } finally {
    await purgeClicks(system.amqpUrl)
  }
}

/** Sends clicks through the queue to processors of this database. Resolves when all counters are folded. */
async function loadClicks(
  stage: Stage,
  system: BenchSystem,
  { ownerUrl, urlFor }: FreshDatabase,
  range: ClickRange,
  onShare: (share: number) => void,
): Promise<{ readonly clicks: number; readonly clicksPerSecond: number }> {
  const { signal } = stage
  const running: RunningProgram[] = []
  const startOne = async (_: unknown, index: number) => {
    const databaseUrl = urlFor('processor')
    const options = { service: 'processor', name: `history-${index + 1}`, system, databaseUrl, stage } as const
    running.push(await startService(options))
  }
  try {
    await allOrFirstError(Array.from({ length: processors }, startOne))
    return await withClient(ownerUrl, async (client) => {
      const before = await processedClicks(client)
      const startedAtMs = performance.now()
      const messages = messagesOf(untilTime(makeClicks(range), startedAtMs + sendWithinMs))
      const clicks = await fillClicks(messages, {
        ...{ amqpUrl: system.amqpUrl, signal },
        onConfirmed: async (confirmed) => {
          onShare(confirmed / range.clicks)
          while (before + confirmed - (await processedClicks(client)) > maxQueuedClicks)
            await sleep(50, undefined, { signal })
        },
      })
      const { last } = await watchDrain(client, { clicks: before + clicks, signal })
      await untilFolded(client, signal)
      return { clicks, clicksPerSecond: (clicks / (last.atMs - startedAtMs)) * 1_000 }
    })
  } finally {
    await Promise.all(running.map(({ program }) => program.stop()))
  }
}

function* untilTime(clicks: Iterable<Click>, endMs: number): Generator<Click> {
  for (const click of clicks) {
    yield click
    if (performance.now() > endMs) return
  }
}

/** Waits until no delta is left, their table is small again, and all past hours are rolled up. */
async function untilFolded(client: Client, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + foldWithinMs
  for (;;) {
    const { rows } = await client.query<{ unfinished: boolean }>(
      `select exists (select from counter_deltas) or pg_relation_size('counter_deltas') > ${emptyDeltaBytes}
         or (select hours_before < clock_timestamp() - interval '2 hours' from rollup_horizon) as unfinished`,
    )
    if (rows[0]?.unfinished === false) return
    if (performance.now() > deadlineMs) throw new Error(`the counters are not folded after ${foldWithinMs / 1_000} s`)
    await sleep(200, undefined, { signal })
  }
}

async function readDatabaseSize(client: Client): Promise<DatabaseSize> {
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
       coalesce(sum(rows + indexes) filter (where name in ('click_columns', 'dimension_values', 'dimension_sums')), 0) as columns,
       coalesce(sum(rows + indexes) filter (where name in ('messages', 'producers')), 0) as ledger
     from sized`,
  )
  return rows[0] as DatabaseSize
}
