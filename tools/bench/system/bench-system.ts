import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { settle } from '@clicktally/database/settling.ts'
import { nginxForLoadTests } from '@clicktally/local/servers/nginx-settings.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { cpuSeconds } from '@clicktally/processes/cpu-time.ts'
import { processTrees } from '@clicktally/processes/process-tree.ts'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { type CountedClicks, readCountedClicks } from './databases.ts'
import { withChannel } from './queue.ts'

export type SystemPart = 'ingest' | 'processor' | 'api' | 'nginx' | 'rabbitmq' | 'postgres'

/** Without progress for this long, counting has failed. */
const stalledAfterMs = 30_000
/** Counting the rows of ten million clicks takes seconds. */
const statementTimeoutMs = 120_000

/** The whole system as `npm start` runs it, with one ingest, one api and as many processors as a measurement needs. */
export class BenchSystem {
  /** URL of nginx. */
  readonly baseUrl: string
  readonly ingestUrl: string
  readonly apiUrl: string
  /** For the operator of the broker. */
  readonly amqpUrl: string
  /** For the owner of the database. */
  readonly postgresUrl: string
  /** A key that may send and read. */
  readonly ownerKey: string
  readonly secretsDir: string
  /** As the owner of the database. */
  readonly pool: Pool
  readonly #system: System
  readonly #processors: string[] = []
  #stopped: Promise<void> | undefined

  private constructor(system: System) {
    this.#system = system
    this.baseUrl = system.baseUrl
    this.amqpUrl = system.amqpUrl
    this.postgresUrl = system.postgresUrl
    this.ownerKey = system.ownerKey
    this.secretsDir = system.secretsDir
    this.ingestUrl = `http://127.0.0.1:${this.#service('ingest-1').port}`
    this.apiUrl = `http://127.0.0.1:${this.#service('api').port}`
    this.pool = createPool({
      ...{ url: system.postgresUrl, name: 'bench', logger: pino({ level: 'silent' }) },
      ...{ maxConnections: 2, statementTimeoutMs },
    })
  }

  /** @param dir a folder for data and logs; the caller removes it */
  static async start({ dir, signal }: { readonly dir: string; readonly signal?: AbortSignal }): Promise<BenchSystem> {
    const system = await startSystem({
      ...{ dir: join(dir, 'system'), port: 0, ingests: 1, processors: 0, nginx: nginxForLoadTests, onLine: () => {} },
      // As in production, whatever the environment of this process says.
      variables: { LOG_LEVEL: 'info' },
      ...(signal && { signal }),
    })
    return new BenchSystem(system)
  }

  /** The processes of a part and their descendants. */
  processesOf(part: SystemPart): readonly number[] {
    const names = [...this.#system.services.keys()].filter((name) => name === part || name.startsWith(`${part}-`))
    const pids = names.flatMap((name) => this.#service(name).program.pid ?? [])
    return processTrees(pids).map(({ pid }) => pid)
  }

  /** CPU seconds that the parts have used so far. */
  cpuOf(parts: readonly SystemPart[]): number[] {
    return parts.map((part) => cpuSeconds(this.processesOf(part)))
  }

  /** Resolves when this many processors run and are ready, or when none runs. */
  async setProcessors(count: number): Promise<void> {
    while (this.#processors.length > count) await this.#system.removeProcessor(this.#processors.pop() ?? '')
    const missing = Array.from({ length: count - this.#processors.length }, () => this.#system.addProcessor())
    for (const { program } of await Promise.all(missing)) this.#processors.push(program.name)
  }

  /** Messages that wait for a processor. */
  async queued(): Promise<number> {
    const queues = [topology.queue, topology.suspectQueue, topology.deadQueue]
    return await withChannel(this.amqpUrl, async (channel) => {
      const states = await Promise.all(queues.map((queue) => channel.checkQueue(queue)))
      return states.reduce((sum, { messageCount }) => sum + messageCount, 0)
    })
  }

  /** Resolves when the queue is empty and every accepted click is counted. @throws without progress for 30 s */
  async untilCounted(): Promise<void> {
    if (this.#processors.length === 0) throw new Error('no processor is running')
    await withChannel(this.amqpUrl, async (channel) => {
      let least = Number.POSITIVE_INFINITY
      let progressAtMs = performance.now()
      for (;;) {
        const { messageCount } = await channel.checkQueue(topology.queue)
        if (messageCount === 0) return
        if (messageCount < least) progressAtMs = performance.now()
        least = Math.min(least, messageCount)
        if (performance.now() - progressAtMs > stalledAfterMs) throw new Error(`${messageCount} messages stay queued`)
        await sleep(50)
      }
    })
    const balance = await settle({ pool: this.pool, database: createDatabase(this.pool) }, stalledAfterMs)
    if (balance.inFlight !== 0) throw new Error(`${balance.inFlight} clicks stay in flight`)
  }

  async counted(): Promise<CountedClicks> {
    return await readCountedClicks(this.pool)
  }

  /** Stops everything. May be called again. */
  async stop(): Promise<void> {
    this.#stopped ??= this.pool.end().then(() => this.#system.stop())
    await this.#stopped
  }

  #service(name: string) {
    const service = this.#system.services.get(name)
    if (service === undefined) throw new Error(`there is no ${name}`)
    return service
  }
}
