import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@redis/client'
import type { Stage } from '../measurement.ts'
import type { BenchSystem, SystemPart } from '../system/bench-system.ts'
import { createDatabase, dropDatabase, readCountedClicks, withClient } from '../system/databases.ts'
import { startPeer, startService } from '../system/programs.ts'
import { withChannel } from '../system/queue.ts'
import { startRedis } from '../system/redis.ts'

/** A running service that accepts clicks: Clicktally or an alternative design. */
export interface Design {
  /** Its name in the tables. */
  readonly name: string
  /** Base URL of its service, without nginx. */
  readonly url: string
  /** A key to send with every request. The other designs check none: verifying keys is part of the comparison. */
  readonly key?: string
  /** A server that no other design uses, such as `Redis 7.0.15`. */
  readonly uses?: string
  /** Whether this is Clicktally. */
  readonly own?: boolean
  /** Process id of the service. */
  pid(): number | undefined
  /** Process ids of the servers behind the service. */
  servers(): Partial<Record<ServerPart, readonly number[]>>
  /**
   * Resolves with the number of clicks kept since the last call; called when the load has ended. Undefined if the design keeps
   * none, or if an oracle checks all turns together.
   */
  kept?(expected: number): Promise<number>
  /** Whether it may lose accepted clicks: the figures are then shown, but not void. */
  readonly mayLose?: boolean
  stop(): Promise<void>
}

export type ServerPart = Extract<SystemPart, 'rabbitmq' | 'postgres'> | 'redis'
export type DesignStart = (system: BenchSystem, stage: Pick<Stage, 'dir' | 'signal'>) => Design | Promise<Design>

export const designNames = {
  clicktally: 'Clicktally',
  withoutKeys: 'Clicktally without keys',
  noBroker: 'no broker (the limit)',
  perClickConfirm: 'one confirm per click',
  fireAndForget: 'fire and forget',
  synchronousInsert: 'synchronous insert',
  redisCounter: 'Redis counter',
} as const

const unchangedForMs = 500
const lateForMs = 3_000
const settledWithinMs = 10_000

/** Clicktally's ingest. What it accepted is counted by the processors after some rounds. */
export const clicktally: DesignStart = (system) => ({
  name: designNames.clicktally,
  url: system.ingestUrl,
  key: system.ownerKey,
  own: true,
  pid: () => system.processesOf('ingest')[0],
  servers: () => ({ rabbitmq: system.processesOf('rabbitmq') }),
  stop: async () => {},
})

/** Another ingest of the same system, in open mode: what keys cost. */
export const withoutKeys: DesignStart = async (system, stage) => {
  const variables = { CLICKTALLY_OPEN: 'loopback', LOG_LEVEL: 'info' }
  const { url, program } = await startService({ service: 'ingest', name: 'open-ingest', system, stage, variables })
  return {
    ...{ name: designNames.withoutKeys, url, own: true, pid: () => program.pid },
    servers: () => ({ rabbitmq: system.processesOf('rabbitmq') }),
    stop: () => program.stop(),
  }
}

/** The same route, checks and responses, without a broker. */
export const noBroker: DesignStart = async (_, stage) => {
  const { url, program } = await startPeer('no-broker', {}, stage)
  const { noBroker: name } = designNames
  return { name, url, pid: () => program.pid, servers: () => ({}), stop: () => program.stop() }
}

export const perClickConfirm = queueDesign(designNames.perClickConfirm, 'per-click-confirm')
export const fireAndForget = queueDesign(designNames.fireAndForget, 'fire-and-forget', true)

function queueDesign(name: string, entry: string, mayLose = false): DesignStart {
  return async (system, stage) => {
    const { amqpUrl } = system
    const queue = `bench.${entry}`
    const { url, program } = await startPeer(entry, { BROKER_URL: amqpUrl, QUEUE: queue }, stage)
    return {
      ...{ name, url, mayLose, pid: () => program.pid },
      servers: () => ({ rabbitmq: system.processesOf('rabbitmq') }),
      kept: (expected) =>
        withChannel(amqpUrl, async (channel) => {
          const depth = async () => (await channel.checkQueue(queue)).messageCount
          const kept = await settled(depth, expected, stage.signal)
          // Nothing consumes these messages, and a long queue would slow down the next turn.
          await channel.purgeQueue(queue)
          return kept
        }),
      async stop() {
        await program.stop()
        await withChannel(amqpUrl, (channel) => channel.deleteQueue(queue))
      },
    }
  }
}

/** One insert and one upsert per click, into a database on the system's PostgreSQL. */
export const synchronousInsert: DesignStart = async (system, stage) => {
  const { databaseUrl, drop } = await emptyDatabase(system, 'bench_synchronous_insert')
  const { url, program } = await startPeer('synchronous-insert', { DATABASE_URL: databaseUrl }, stage)
  const stored = async () => {
    const { stored, counted } = await withClient(databaseUrl, readCountedClicks)
    return stored === counted ? stored : Number.NaN
  }
  return {
    ...{ name: designNames.synchronousInsert, url, pid: () => program.pid },
    servers: () => ({ postgres: system.processesOf('postgres') }),
    kept: increaseOf(stored, stage.signal),
    async stop() {
      await program.stop()
      await drop()
    },
  }
}

/** Responds after an increment in Redis, which is flushed to a database every second. @throws Problem without Redis */
export const redisCounter: DesignStart = async (system, stage) => {
  const redis = await startRedis(`${stage.dir}/redis`, stage.signal)
  const { databaseUrl, drop } = await emptyDatabase(system, 'bench_redis_counter')
  const variables = { REDIS_URL: redis.url, DATABASE_URL: databaseUrl }
  const { url, program } = await startPeer('redis-counter', variables, stage)
  const client = createClient({ url: redis.url })
  client.on('error', () => {})
  await client.connect()
  let flushed = 0
  const counted = async () => {
    // In the middle of a flush, clicks are both in Redis and in the database.
    if ((await client.exists(['counts', 'counts.flushing'])) > 0) return flushed
    const { rows } = await withClient(databaseUrl, (database) =>
      database.query<{ total: number }>('select coalesce(sum(total), 0)::float8 as total from counters'),
    )
    flushed = rows[0]?.total ?? 0
    return flushed
  }
  return {
    ...{ name: designNames.redisCounter, uses: `Redis ${redis.version}`, url, pid: () => program.pid },
    servers: () => ({ redis: [redis.server.pid ?? 0], postgres: system.processesOf('postgres') }),
    kept: increaseOf(counted, stage.signal),
    async stop() {
      client.destroy()
      await program.stop()
      await redis.server.stop()
      await drop()
    },
  }
}

async function emptyDatabase({ postgresUrl }: BenchSystem, name: string) {
  const drop = () => dropDatabase(postgresUrl, name)
  await drop()
  return { databaseUrl: await createDatabase(postgresUrl, name), drop }
}

function increaseOf(total: () => Promise<number>, signal: AbortSignal): (expected: number) => Promise<number> {
  let before = 0
  return async (expected) => {
    const now = await settled(total, before + expected, signal)
    const increase = now - before
    before = now
    return increase
  }
}

/** Polls until the value is as expected, or does not change any more, or 10 s have passed. */
async function settled(read: () => Promise<number>, expected: number, signal: AbortSignal): Promise<number> {
  const startedAtMs = performance.now()
  let value = await read()
  let changedAtMs = startedAtMs
  while (value !== expected) {
    await sleep(50, undefined, { signal })
    const next = await read()
    const nowMs = performance.now()
    if (next !== value) changedAtMs = nowMs
    value = next
    if (nowMs - changedAtMs > (value < expected ? lateForMs : unchangedForMs)) break
    if (nowMs - startedAtMs > settledWithinMs) break
  }
  return value
}
