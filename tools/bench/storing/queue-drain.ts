import { setTimeout as sleep } from 'node:timers/promises'
import { allOrFirstError } from '@clicktally/local/services/launch-levels.ts'
import { cpuSeconds } from '@clicktally/processes/cpu-time.ts'
import { clicksIn, type QueueMessage } from '@clicktally/synthetic-clicks/click-messages.ts'
import type { Client } from 'pg'
import type { Stage } from '../measurement.ts'
import type { BenchSystem } from '../system/bench-system.ts'
import { createFreshDatabase, readCountedClicks, voidReason, withClient } from '../system/databases.ts'
import { type RunningProgram, startService } from '../system/programs.ts'
import { fillClicks, purgeClicks } from '../system/queue.ts'

export interface DrainTurn {
  /** Names the turn if it is void. */
  readonly what: string
  readonly messages: readonly QueueMessage[]
  /** Distinct clicks in them. Default: all. */
  readonly distinct?: number
  readonly processors: number
  /** Clicks that are drained before the figures begin. Default: 0. */
  readonly warmUpClicks?: number
  /** Settings of the processors that differ from the defaults. */
  readonly variables?: Record<string, string>
  /** Returns the URL by which the processors reach the database. Default: its own. */
  readonly databaseUrl?: (url: string) => string
  /** Called when the processors are ready. */
  readonly onReady?: (pids: readonly number[]) => void
  /** Called with the completed share, 0 to 1. */
  readonly onShare: (share: number) => void
}

export interface DrainResult {
  readonly clicksPerSecond: number
  /** CPU seconds per million clicks. */
  readonly cpu: Readonly<Record<'processor' | 'postgres' | 'rabbitmq', number>>
  /** Rows of counter deltas, per click, that were not yet folded when the last click was stored. Counts include them. */
  readonly unfolded: number
  readonly voided: string | undefined
}

export interface DrainStage {
  readonly system: BenchSystem
  readonly stage: Pick<Stage, 'dir' | 'signal'>
}

const shareOfFilling = 0.3
/** A query sums up some thousand rows in a few milliseconds: a few percent of one core. */
const pollEveryMs = 100
/** Longer than any timeout of a processor. */
const stalledAfterMs = 45_000

/**
 * Fills the queue while no processor runs, then starts processors on a fresh database and measures them until the queue is
 * drained. The processors of the system must not run.
 */
export async function drainQueue({ system, stage }: DrainStage, turn: DrainTurn): Promise<DrainResult> {
  const { signal } = stage
  const { what, messages, onShare } = turn
  const clicks = clicksIn(messages)
  const database = await createFreshDatabase(system)
  const programs: RunningProgram[] = []
  try {
    await withClient(database.ownerUrl, (client) => client.query('checkpoint'))
    const onConfirmed = (confirmed: number) => onShare((confirmed / clicks) * shareOfFilling)
    await fillClicks(messages, { amqpUrl: system.amqpUrl, signal, onConfirmed })
    const databaseUrl = (turn.databaseUrl ?? ((url) => url))(database.urlFor('processor'))
    const startOne = async (_: unknown, index: number) => {
      const { variables = {} } = turn
      const options = {
        service: 'processor',
        name: `drain-${index + 1}`,
        system,
        databaseUrl,
        stage,
        variables,
      } as const
      programs.push(await startService(options))
    }
    const pids = () => programs.flatMap(({ program }) => program.pid ?? [])
    const failed = new AbortController()
    const startAll = async () => {
      await allOrFirstError(Array.from({ length: turn.processors }, startOne)).catch((error) => {
        failed.abort(error)
        throw error
      })
      turn.onReady?.(pids())
    }
    return await withClient(database.ownerUrl, async (client) => {
      const watching = watchDrain(client, {
        ...{ clicks, warmUpClicks: turn.warmUpClicks ?? 0, signal: AbortSignal.any([signal, failed.signal]) },
        hasBegun: () => programs.length === turn.processors,
        cpuNow: () => [cpuSeconds(pids()), ...system.cpuOf(['postgres', 'rabbitmq'])],
        onProgress: (ended) => onShare(shareOfFilling + (ended / clicks) * (1 - shareOfFilling)),
      })
      const [{ first, last }] = await allOrFirstError([watching, startAll()])
      const { rows } = await client.query<{ count: number }>('select count(*)::float8 as count from counter_deltas')
      const measured = last.clicks - first.clicks
      if (measured <= 0) throw new Error('too few clicks: the first commit that was seen was the last one')
      const cpu = last.cpu.map((seconds, index) => ((seconds - (first.cpu[index] ?? 0)) / measured) * 1e6)
      const [processor = Number.NaN, postgres = Number.NaN, rabbitmq = Number.NaN] = cpu
      return {
        clicksPerSecond: (measured / (last.atMs - first.atMs)) * 1_000,
        cpu: { processor, postgres, rabbitmq },
        unfolded: (rows[0]?.count ?? 0) / clicks,
        voided: voidReason(what, turn.distinct ?? clicks, await readCountedClicks(client)),
      }
    })
  } finally {
    await Promise.all(programs.map(({ program }) => program.stop()))
    await purgeClicks(system.amqpUrl)
    await database.drop()
  }
}

export interface WatchOptions {
  /** Number of clicks after which the queue is drained. */
  readonly clicks: number
  readonly signal: AbortSignal
  /** The measurement begins with the first commit for which this returns true. Default: always. */
  readonly hasBegun?: () => boolean
  readonly warmUpClicks?: number
  readonly cpuNow?: () => number[]
  readonly onProgress?: (clicks: number) => void
}

/** Progress of the processors at some time. */
interface DrainSample {
  readonly atMs: number
  readonly clicks: number
  readonly cpu: readonly number[]
}

/**
 * Watches the ledger until all clicks are processed. Returns the first commit that it saw, which excludes the start of the
 * processors, and the last one.
 *
 * @throws without progress for 45 s, when more clicks are processed than there are, and the signal's reason
 */
export async function watchDrain(client: Client, options: WatchOptions) {
  const { clicks, signal, hasBegun = () => true, warmUpClicks = 0, cpuNow = () => [], onProgress } = options
  let first: DrainSample | undefined
  let latest: DrainSample = { atMs: performance.now(), clicks: 0, cpu: [] }
  for (;;) {
    const processed = await processedClicks(client)
    const atMs = performance.now()
    if (processed > latest.clicks) {
      const isFirst = first === undefined && processed >= warmUpClicks && hasBegun()
      latest = { atMs, clicks: processed, cpu: isFirst || processed >= clicks ? cpuNow() : [] }
      if (isFirst) first = latest
      onProgress?.(processed)
    }
    if (processed >= clicks) break
    if (atMs - latest.atMs > stalledAfterMs)
      throw new Error(`the processors make no progress: ${processed} of ${clicks} clicks`)
    await sleep(pollEveryMs, undefined, { signal })
  }
  if (latest.clicks > clicks) throw new Error(`${latest.clicks} clicks were processed, but there are only ${clicks}`)
  if (first === undefined) throw new Error('too few clicks: all were processed before every processor was ready')
  return { first, last: latest }
}

/** Clicks that were counted, skipped as duplicates, or dead-lettered. */
export async function processedClicks(client: Client): Promise<number> {
  // A single statement, since messages are folded into their producers.
  const { rows } = await client.query<{ processed: number }>(
    `select (select coalesce(sum(counted + duplicates + dead), 0) from messages)::float8
          + (select coalesce(sum(counted + duplicates), 0) from producers)::float8 as processed`,
  )
  return rows[0]?.processed ?? 0
}
