import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import type { Click } from '@clicktally/contract/click.ts'
import { allOrFirstError } from '@clicktally/local/launch-levels.ts'
import type { Client } from 'pg'
import { readCountedClicks, voidReason } from './counted-clicks.ts'
import { type DatabaseSize, readDatabaseSize } from './database-size.ts'
import { clicksAtTheirEnd, watchDrain } from './drain-watch.ts'
import type { BenchSystem, Stage } from './measurement.ts'
import { type OwnDatabase, OwnDatabases, withClient } from './own-database.ts'
import { type OwnService, startOwnService } from './own-service.ts'
import { fillClicks, withChannel } from './queue-filling.ts'
import { type ClickRange, makeClicks, messagesOf } from './queue-messages.ts'

/** A database with the clicks of a year, and one with few: both counted by processors, as old clicks that are imported. */
export interface LongHistory {
  readonly large: OwnDatabase
  readonly small: OwnDatabase
  /** Clicks in them. */
  readonly largeClicks: number
  readonly smallClicks: number
  /** How the large one is spread: so many evenly over the year, and so many over the last days. */
  readonly evenClicks: number
  readonly denseClicks: number
  readonly denseDays: number
  /** How fast the dense ones were made, sent and counted, everything on this machine. */
  readonly clicksPerSecond: number
  /** Of the large database, before and after the dense clicks, with all counters folded and rolled up. */
  readonly sizeBefore: DatabaseSize
  readonly sizeAfter: DatabaseSize
  readonly voided: readonly string[]
}

interface Amounts {
  readonly small: number
  readonly even: number
  readonly dense: number
}

export const yearMs = 365 * 86_400_000
const dayMs = 86_400_000
/** The density of ten million in ten days, in the short form too. */
const densePerDay = 1_000_000
const fullAmounts: Amounts = { small: 10_000, even: 730_000, dense: 10_000_000 }
const shortAmounts: Amounts = { small: 10_000, even: 15_000, dense: 300_000 }
/** What is not sent by then is not sent: the whole run has a limit. */
const sendWithinMs = 270_000
const settleWithinMs = 420_000
/** What the table of additions may hold on to, which every question reads. */
const restingBytes = 8_000_000
const processors = 2
/** The queue takes more, but not ten million. */
const mostInQueue = 400_000
const messagesPerLook = 50

const histories = new WeakMap<BenchSystem, Promise<LongHistory>>()

/** Made when it is first asked for, which takes minutes; it goes with the system. */
export async function longHistoryOf(stage: Stage): Promise<LongHistory> {
  const system = await stage.system()
  const known = histories.get(system)
  if (known !== undefined) return await known
  const made = makeHistory(stage, system)
  histories.set(system, made)
  return await made
}

async function makeHistory(stage: Stage, system: BenchSystem): Promise<LongHistory> {
  const amounts = stage.short ? shortAmounts : fullAmounts
  await system.setProcessors(0)
  const databases = await OwnDatabases.open(system)
  try {
    const nowMs = Date.now()
    const year = { fromMs: nowMs - yearMs, toMs: nowMs, receivedAtMs: nowMs }
    const denseDays = amounts.dense / densePerDay
    const dense = { ...year, fromMs: nowMs - denseDays * dayMs }
    const small = await databases.create()
    const large = await databases.create()
    const say = (what: string, from: number, to: number) => (share: number) =>
      stage.progress(what, from + (to - from) * share)
    const few = await withProcessors(stage, system, small, async () => {
      const range = { ...year, clicks: amounts.small, seed: 5 }
      return await load(stage, system, small, range, say('few clicks', 0, 0.03))
    })
    const { evenly, sizeBefore, many } = await withProcessors(stage, system, large, async () => {
      const even = { ...year, clicks: amounts.even, seed: 6 }
      const evenly = await load(stage, system, large, even, say('clicks over a year', 0.03, 0.15))
      const sizeBefore = await withClient(large.ownerUrl, readDatabaseSize)
      const range = { ...dense, clicks: amounts.dense, seed: 7 }
      return { evenly, sizeBefore, many: await load(stage, system, large, range, say('many clicks', 0.15, 0.9)) }
    })
    const sizeAfter = await withClient(large.ownerUrl, readDatabaseSize)
    const largeClicks = evenly.clicks + many.clicks
    const voided = await Promise.all([
      withClient(small.ownerUrl, async (client) => voidReason('few', few.clicks, await readCountedClicks(client))),
      withClient(large.ownerUrl, async (client) => voidReason('many', largeClicks, await readCountedClicks(client))),
    ])
    return {
      ...{ large, small, largeClicks, smallClicks: few.clicks, evenClicks: evenly.clicks, denseClicks: many.clicks },
      ...{ denseDays, clicksPerSecond: many.clicksPerSecond, sizeBefore, sizeAfter },
      voided: voided.flatMap((reason) => reason ?? []),
    }
  } finally {
    await withChannel(system.amqpUrl, (channel) => channel.purgeQueue(topology.queue))
    await databases.close()
  }
}

/** Does something while processors of its own work on a database. */
async function withProcessors<Result>(
  stage: Stage,
  system: BenchSystem,
  database: OwnDatabase,
  act: () => Promise<Result>,
): Promise<Result> {
  const databaseUrl = database.urlFor('processor')
  const running: OwnService[] = []
  const startOne = async (index: number) => {
    const name = `history-processor-${index + 1}`
    running.push(await startOwnService({ kind: 'processor', name, system, databaseUrl, stage }))
  }
  try {
    await allOrFirstError(Array.from({ length: processors }, (_, index) => startOne(index)))
    return await act()
  } finally {
    await Promise.all(running.map((each) => each.stop()))
  }
}

/** Sends clicks over the queue to be counted into the database, and resolves when all counters are folded. */
async function load(
  stage: Stage,
  system: BenchSystem,
  database: OwnDatabase,
  range: ClickRange,
  onShare: (share: number) => void,
): Promise<{ clicks: number; clicksPerSecond: number }> {
  const { signal } = stage
  return await withClient(database.ownerUrl, async (client) => {
    const before = await clicksAtTheirEnd(client)
    const startedAtMs = performance.now()
    const room = new QueueRoom(client, before, signal)
    const messages = messagesOf(untilTime(makeClicks(range), startedAtMs + sendWithinMs))
    const clicks = await fillClicks(messages, {
      ...{ amqpUrl: system.amqpUrl, signal },
      onConfirmed: (more) => {
        room.filled += more
        onShare(room.filled / range.clicks)
      },
      untilRoom: () => room.wait(),
    })
    const { last } = await watchDrain(client, { clicks: before + clicks, signal })
    await untilFolded(client, signal)
    return { clicks, clicksPerSecond: (clicks / (last.atMs - startedAtMs)) * 1_000 }
  })
}

function* untilTime(clicks: Iterable<Click>, endMs: number): Generator<Click> {
  for (const click of clicks) {
    yield click
    if (performance.now() > endMs) return
  }
}

/** Whether there is room in the queue: what was sent into it less what has come out, looked at every so many messages. */
class QueueRoom {
  filled = 0
  readonly #client: Client
  readonly #before: number
  readonly #signal: AbortSignal
  #asked = 0

  constructor(client: Client, before: number, signal: AbortSignal) {
    this.#client = client
    this.#before = before
    this.#signal = signal
  }

  async wait(): Promise<void> {
    this.#asked += 1
    if (this.#asked % messagesPerLook !== 0) return
    while (this.filled - ((await clicksAtTheirEnd(this.#client)) - this.#before) > mostInQueue) {
      await sleep(50, undefined, { signal: this.#signal })
    }
  }
}

/** Until no delta waits, their table is small again, and all hours that are over are rolled up. @throws when that takes too long */
async function untilFolded(client: Client, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + settleWithinMs
  for (;;) {
    const { rows } = await client.query<{ rest: boolean }>(
      `select exists (select from counter_deltas) or pg_relation_size('counter_deltas') > ${restingBytes}
         or (select hours_before < clock_timestamp() - interval '2 hours' from rollup_horizon) as rest`,
    )
    if (rows[0]?.rest === false) return
    if (performance.now() > deadlineMs)
      throw new Error(`the counters are not folded, and what was folded not freed, after ${settleWithinMs / 1_000} s`)
    await sleep(200, undefined, { signal })
  }
}
