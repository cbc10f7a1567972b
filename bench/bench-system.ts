import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { settle } from '@clicktally/database/settling.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { doorForLoadTests } from '@clicktally/local/door-settings.ts'
import { type System, type SystemOptions, startSystem } from '@clicktally/local/system.ts'
import { familyOf } from '@clicktally/processes/process-family.ts'
import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { Broker } from './broker.ts'
import type { BenchSystem, SystemPart } from './measurement.ts'

export interface StartedSystemOptions extends Pick<SystemOptions, 'between' | 'variables' | 'signal'> {
  /** A folder for everything; whoever made it removes it. */
  readonly dir: string
  /** Told what is being started, a line each. */
  onLine?(line: string): void
}

/** A drain that makes no progress for so long is not going to end. */
const countingPatienceMs = 30_000
/** Counting ten million clicks takes seconds. */
const statementTimeoutMs = 120_000

/**
 * The whole system as `npm start` runs it, with one ingest and at first without a processor, and a hand at its database
 * and its broker that goes past the services.
 */
export class StartedSystem implements BenchSystem {
  readonly system: System
  readonly broker: Broker
  /** Of the owner: may do anything. */
  readonly pool: Pool
  readonly #database: Kysely<Tables>
  readonly #processors: string[] = []
  #stopped: Promise<void> | undefined

  private constructor(system: System) {
    this.system = system
    this.broker = new Broker(system.amqpUrl, system.managementUrl)
    this.pool = createPool({
      url: system.postgresUrl,
      name: 'bench',
      logger: pino({ level: 'silent' }),
      maxConnections: 2,
      statementTimeoutMs,
    })
    this.#database = createDatabase(this.pool)
  }

  static async start({ dir, onLine = () => {}, signal, between, variables }: StartedSystemOptions) {
    const system = await startSystem({
      dir: join(dir, 'system'),
      port: 0,
      ingests: 1,
      processors: 0,
      door: doorForLoadTests,
      onLine,
      // As in production, and not as whoever runs this has it in his environment.
      variables: { LOG_LEVEL: 'info', ...variables },
      ...(signal && { signal }),
      ...(between && { between }),
    })
    return new StartedSystem(system)
  }

  get baseUrl(): string {
    return this.system.baseUrl
  }

  get ingestUrl(): string {
    return this.#urlOf('ingest-1')
  }

  get apiUrl(): string {
    return this.#urlOf('api')
  }

  get amqpUrl(): string {
    return this.system.amqpUrl
  }

  get managementUrl(): string {
    return this.system.managementUrl
  }

  get postgresUrl(): string {
    return this.system.postgresUrl
  }

  get secretsDir(): string {
    return this.system.secretsDir
  }

  processesOf(part: SystemPart): readonly number[] {
    const names = [...this.system.services.keys()].filter((name) => name === part || name.startsWith(`${part}-`))
    const pids = names.flatMap((name) => this.#service(name).program.pid ?? [])
    return familyOf(pids).map(({ pid }) => pid)
  }

  async setProcessors(count: number): Promise<void> {
    while (this.#processors.length > count) await this.system.removeProcessor(this.#processors.pop() ?? '')
    const missing = Array.from({ length: count - this.#processors.length }, () => this.system.addProcessor())
    for (const { program } of await Promise.all(missing)) this.#processors.push(program.name)
  }

  async queued(): Promise<number> {
    const queues = [topology.queue, topology.suspectQueue, topology.deadQueue]
    const depths = await Promise.all(queues.map((queue) => this.broker.depth(queue)))
    return depths.reduce((sum, depth) => sum + depth, 0)
  }

  async untilCounted(): Promise<void> {
    if (this.#processors.length === 0) throw new Error('nothing is counted while no processor runs')
    let depth = await this.broker.depth(topology.queue)
    let movedAtMs = performance.now()
    while (depth > 0) {
      await sleep(50)
      const now = await this.broker.depth(topology.queue)
      if (now < depth) movedAtMs = performance.now()
      depth = now
      if (performance.now() - movedAtMs > countingPatienceMs) throw new Error(`${depth} messages are left in the queue`)
    }
    const balance = await settle({ pool: this.pool, database: this.#database }, countingPatienceMs)
    if (balance.inFlight !== 0) throw new Error(`${balance.inFlight} clicks are in flight and do not come through`)
  }

  async counted(): Promise<{ stored: number; counted: number }> {
    const { rows } = await this.pool.query<{ stored: number; counted: number }>(
      `select (select count(*) from clicks) as stored,
         (select coalesce(sum(total + bots), 0) from counters) as counted`,
    )
    const [sums] = rows
    if (sums === undefined) throw new Error('the sums have no row')
    return sums
  }

  /** Stops everything; may be called again. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    await this.#stopped
  }

  async #stop(): Promise<void> {
    await this.broker.close()
    await this.pool.end()
    await this.system.stop()
  }

  #urlOf(name: string): string {
    return `http://127.0.0.1:${this.#service(name).port}`
  }

  #service(name: string) {
    const service = this.system.services.get(name)
    if (service === undefined) throw new Error(`there is no ${name}`)
    return service
  }
}
