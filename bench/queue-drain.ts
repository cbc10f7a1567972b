import { topology } from '@clicktally/broker/topology.ts'
import { allOrFirstError } from '@clicktally/local/launch-levels.ts'
import { readCountedClicks, voidReason } from './counted-clicks.ts'
import { speedOf, watchDrain } from './drain-watch.ts'
import type { BenchSystem, Stage } from './measurement.ts'
import type { OwnDatabase, OwnDatabases } from './own-database.ts'
import { withClient } from './own-database.ts'
import { type OwnService, startOwnService } from './own-service.ts'
import { cpuSeconds } from './process-cpu.ts'
import { fillClicks, withChannel } from './queue-filling.ts'
import type { QueueMessage } from './queue-messages.ts'

export interface DrainTurn {
  /** Completes "the queue is drained: …"; also names what is void. */
  readonly what: string
  readonly messages: Iterable<QueueMessage>
  /** Clicks in them. */
  readonly clicks: number
  /** Different clicks in them: what is to be stored. */
  readonly distinct: number
  readonly processors: number
  /** So many clicks are drained before the figures begin. Default: none. */
  readonly warmUpClicks?: number
  /** Settings of the processors that differ from the default. */
  readonly variables?: Record<string, string>
  /** What stands between the processors and the database; default: nothing. */
  readonly databaseUrl?: (url: string) => string
  /** Told of the processors when they run. */
  readonly onProcessors?: (processors: readonly OwnService[]) => void
  /** How far it is, 0 to 1. */
  readonly onShare: (share: number) => void
}

export interface DrainFigures {
  readonly clicksPerSecond: number
  /** CPU seconds per million clicks, between the same two commits. */
  readonly cpu: Readonly<Record<'processor' | 'postgres' | 'rabbitmq', number>>
  /** Additions to counters that were still to be folded when the last click was stored. They are in every count by then. */
  readonly unfolded: number
  readonly voided: string | undefined
}

export interface DrainStage {
  readonly system: BenchSystem
  readonly databases: OwnDatabases
  readonly stage: Pick<Stage, 'dir' | 'signal'>
}

/** Of the time that a turn takes, as the progress shows it. */
const fillingShare = 0.3

/**
 * One turn: the queue is filled while no processor runs, processors are started on a fresh database, and the ledger is
 * watched until the queue is drained. The system's own processors must be away.
 */
export async function drainQueue({ system, databases, stage }: DrainStage, turn: DrainTurn): Promise<DrainFigures> {
  const { what, clicks, distinct, onShare } = turn
  const { signal } = stage
  const database = await databases.create()
  try {
    await untilWrittenOut(database)
    let filled = 0
    const onConfirmed = (more: number) => {
      filled += more
      onShare((filled / clicks) * fillingShare)
    }
    await fillClicks(turn.messages, { amqpUrl: system.amqpUrl, signal, onConfirmed })
    const drained = await drainInto(database, { system, stage }, turn)
    const held = await withClient(database.ownerUrl, readCountedClicks)
    return { ...drained, voided: voidReason(what, distinct, held) }
  } finally {
    await withChannel(system.amqpUrl, (channel) => channel.purgeQueue(topology.queue))
    await database.drop()
  }
}

/** So that nobody pays for what the turn before has written. */
export async function untilWrittenOut({ ownerUrl }: OwnDatabase): Promise<void> {
  await withClient(ownerUrl, (client) => client.query('checkpoint'))
}

async function drainInto(
  database: OwnDatabase,
  { system, stage }: Pick<DrainStage, 'system' | 'stage'>,
  {
    clicks,
    processors: count,
    warmUpClicks = 0,
    variables,
    databaseUrl = (url) => url,
    onProcessors,
    onShare,
  }: DrainTurn,
): Promise<Pick<DrainFigures, 'cpu' | 'clicksPerSecond' | 'unfolded'>> {
  const url = databaseUrl(database.urlFor('processor'))
  const processors: OwnService[] = []
  const startOne = async (index: number) => {
    const options = { kind: 'processor', system, databaseUrl: url, stage, ...(variables && { variables }) } as const
    processors.push(await startOwnService({ ...options, name: `own-processor-${index + 1}` }))
  }
  // Where one can't be started there is nothing to watch.
  const failed = new AbortController()
  const startAll = async () => {
    try {
      await allOrFirstError(Array.from({ length: count }, (_, index) => startOne(index)))
    } catch (error) {
      failed.abort(error)
      throw error
    }
    onProcessors?.(processors)
  }
  const cpuNow = () => ({
    processor: cpuSeconds(processors.flatMap(({ program }) => program.pid ?? [])),
    postgres: cpuSeconds(system.processesOf('postgres')),
    rabbitmq: cpuSeconds(system.processesOf('rabbitmq')),
  })
  let before = cpuNow()
  let after = before
  const watchOptions = {
    clicks,
    warmUpClicks,
    signal: AbortSignal.any([stage.signal, failed.signal]),
    hasBegun: () => processors.length === count,
    onFirst: () => {
      before = cpuNow()
    },
    onLast: () => {
      after = cpuNow()
    },
    onProgress: (ended: number) => onShare(fillingShare + (ended / clicks) * (1 - fillingShare)),
  }
  try {
    const { drained, unfolded } = await withClient(database.ownerUrl, async (client) => {
      const [drained] = await allOrFirstError([watchDrain(client, watchOptions), startAll()])
      const { rows } = await client.query<{ unfolded: number }>(
        'select count(*)::float8 as unfolded from counter_deltas',
      )
      return { drained, unfolded: rows[0]?.unfolded ?? 0 }
    })
    const millions = (drained.last.clicks - drained.first.clicks) / 1e6
    const cpu = {
      processor: (after.processor - before.processor) / millions,
      postgres: (after.postgres - before.postgres) / millions,
      rabbitmq: (after.rabbitmq - before.rabbitmq) / millions,
    }
    return { clicksPerSecond: speedOf(drained), cpu, unfolded }
  } finally {
    await Promise.all(processors.map((each) => each.stop()))
  }
}
