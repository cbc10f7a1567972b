import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { Broker } from './broker.ts'
import type { Design } from './design.ts'
import type { BenchSystem, Stage } from './measurement.ts'
import { withClient } from './own-database.ts'
import { startPeer } from './peer-program.ts'
import { startRedis } from './redis.ts'

export const designNames = {
  clicktally: 'Clicktally',
  noBroker: 'no broker (the limit)',
  perClickConfirm: 'a confirm for each click',
  fireAndForget: 'fire and forget',
  synchronousInsert: 'synchronous insert',
  redisCounter: 'Redis counter',
} as const

const settledAfterMs = 500
const keptWithinMs = 10_000

type PeerStage = Pick<Stage, 'dir' | 'signal'>

/** Clicktally's own ingest, past nginx. What it has accepted is counted by the processors, after all turns of a round. */
export function clicktally(system: BenchSystem): Design {
  return {
    name: designNames.clicktally,
    url: system.ingestUrl,
    own: true,
    pid: () => system.processesOf('ingest')[0],
    behind: () => [{ part: 'rabbitmq', pids: system.processesOf('rabbitmq') }],
    stop: async () => {},
  }
}

/** The same route, schema and answer, and no broker behind it. */
export async function noBroker(stage: PeerStage): Promise<Design> {
  const { url, program } = await startPeer('no-broker.ts', {}, stage)
  return { name: designNames.noBroker, url, pid: () => program.pid, behind: () => [], stop: () => program.stop() }
}

export async function perClickConfirm(system: BenchSystem, stage: PeerStage): Promise<Design> {
  return await queueDesign(designNames.perClickConfirm, 'per-click-confirm.ts', system, stage)
}

export async function fireAndForget(system: BenchSystem, stage: PeerStage): Promise<Design> {
  const design = await queueDesign(designNames.fireAndForget, 'fire-and-forget.ts', system, stage)
  return { ...design, mayLose: true }
}

async function queueDesign(name: string, entry: string, system: BenchSystem, stage: PeerStage): Promise<Design> {
  const broker = new Broker(system.amqpUrl, system.managementUrl)
  // Its queue has nothing to do with the system's, nor with another's that is made at the same time.
  const vhost = `bench.${entry.replace(/\.ts$/, '')}`
  const queue = 'clicks'
  try {
    await broker.makeVhost(vhost)
    const { url, program } = await startPeer(entry, { BROKER_URL: broker.urlOf(vhost), QUEUE: queue }, stage)
    return {
      name,
      url,
      pid: () => program.pid,
      behind: () => [{ part: 'rabbitmq', pids: system.processesOf('rabbitmq') }],
      async kept(expected) {
        const kept = await settled(async () => await broker.depth(queue, vhost), expected, stage.signal)
        // Nobody takes from it, and a long queue is not what is compared.
        await broker.purge(queue, vhost)
        return kept
      },
      async stop() {
        await program.stop()
        await broker.withChannel(vhost, async (channel) => await channel.deleteQueue(queue)).catch(() => {})
        await broker.close()
      },
    }
  } catch (error) {
    await broker.close()
    throw error
  }
}

/** An insert and an upsert a click, into a database of its own on the system's PostgreSQL. */
export async function synchronousInsert(system: BenchSystem, stage: PeerStage): Promise<Design> {
  const { databaseUrl, drop } = await makeDatabase(system, 'bench_synchronous_insert')
  const { url, program } = await startPeer('synchronous-insert.ts', { DATABASE_URL: databaseUrl }, stage)
  let before = 0
  return {
    name: designNames.synchronousInsert,
    url,
    pid: () => program.pid,
    behind: () => [{ part: 'postgres', pids: system.processesOf('postgres') }],
    async kept(expected) {
      const sums = async () =>
        await withClient(databaseUrl, async (client) => {
          const { rows } = await client.query(
            `select (select count(*) from clicks)::float8 as stored,
               (select coalesce(sum(total + bots), 0) from counters)::float8 as counted`,
          )
          const { stored, counted } = rows[0] as { stored: number; counted: number }
          // Stored and not counted, or the other way round: then neither is what was kept.
          return stored === counted ? stored - before : Number.NaN
        })
      const kept = await settled(sums, expected, stage.signal)
      before += kept
      return kept
    },
    async stop() {
      await program.stop()
      await drop()
    },
  }
}

/**
 * The answer after an INCR, a flush into a database of its own each second.
 *
 * @throws Problem where there is no Redis
 */
export async function redisCounter(system: BenchSystem, stage: PeerStage): Promise<Design> {
  const redis = await startRedis(`${stage.dir}/redis`, stage.signal)
  const { databaseUrl, drop } = await makeDatabase(system, 'bench_redis_counter')
  const variables = { REDIS_URL: redis.url, DATABASE_URL: databaseUrl }
  const { url, program } = await startPeer('redis-counter.ts', variables, stage)
  const client = createClient({ url: redis.url })
  client.on('error', () => {})
  await client.connect()
  let before = 0
  return {
    name: designNames.redisCounter,
    brings: `Redis ${redis.version}`,
    url,
    pid: () => program.pid,
    behind: () => [
      { part: 'redis', pids: redis.server.pid === undefined ? [] : [redis.server.pid] },
      { part: 'postgres', pids: system.processesOf('postgres') },
    ],
    async kept(expected) {
      // When all is flushed: what is in the middle of it is in both.
      const kept = await settled(
        async () => {
          if ((await client.exists(['counts', 'counts.flushing'])) > 0) return 0
          return await withClient(databaseUrl, async (database) => {
            const { rows } = await database.query('select coalesce(sum(total), 0)::float8 as total from counters')
            return Number(rows[0]?.total) - before
          })
        },
        expected,
        stage.signal,
      )
      before += kept
      return kept
    },
    async stop() {
      client.destroy()
      await program.stop()
      await redis.server.stop()
      await drop()
    },
  }
}

async function makeDatabase(system: BenchSystem, name: string) {
  const { postgresUrl } = system
  const drop = async () => {
    await withClient(postgresUrl, async (client) => await client.query(`drop database if exists ${name} with (force)`))
  }
  await drop()
  await withClient(postgresUrl, async (client) => await client.query(`create database ${name}`))
  const url = new URL(postgresUrl)
  url.pathname = `/${name}`
  return { databaseUrl: url.href, drop }
}

/** Asks until it is what is expected, or more, or until it has not changed for a while; bounded in any case. */
async function settled(ask: () => Promise<number>, expected: number, signal: AbortSignal): Promise<number> {
  const startedAtMs = performance.now()
  let last = await ask()
  let changedAtMs = performance.now()
  // More than was answered shows only after a while, too.
  while (last !== expected) {
    await sleep(50, undefined, { signal })
    const now = await ask()
    const nowMs = performance.now()
    if (now !== last) changedAtMs = nowMs
    last = now
    const isBusy = nowMs - changedAtMs < Math.max(settledAfterMs, last < expected ? 3_000 : 0)
    if (!isBusy || nowMs - startedAtMs > keptWithinMs) break
  }
  return last
}
