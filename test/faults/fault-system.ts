import { type ManagementMethod, manage } from '@clicktally/broker/management.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { SupervisedProgram } from '@clicktally/local/processes/supervised-program.ts'
import { nginxForLoadTests } from '@clicktally/local/servers/nginx-settings.ts'
import type { ProcessorChanges } from '@clicktally/local/services/service-launch.ts'
import type { ServiceLink } from '@clicktally/local/services/service-link.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { type ConfirmChannel, connect } from 'amqplib'
import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import { pino } from 'pino'
import type { StartOptions, SystemUnderTest } from './system-under-test.ts'

/** Proxies between the services and their servers. The api connects directly. */
export interface Links {
  readonly ingestToBroker: TcpProxy
  readonly processorToBroker: TcpProxy
  readonly processorToDatabase: TcpProxy
}

export interface AddedProcessor {
  readonly name: string
  readonly port: number
  readonly program: SupervisedProgram
  /** Its own proxies if `ownLinks` was set, otherwise those of all processors. */
  readonly links: Pick<Links, 'processorToBroker' | 'processorToDatabase'>
  remove(): Promise<void>
}

const ingests = 2
const processors = 3

/**
 * The whole system, as `npm start` runs it, with two ingests and three processors that connect through proxies. The suite's own
 * connections to the database and the broker bypass the proxies.
 */
export class FaultSystem implements SystemUnderTest {
  readonly system: System
  readonly links: Links
  /** Connects as the owner of the database. */
  readonly pool: Pool
  readonly database: Kysely<Tables>
  #stopped: Promise<void> | undefined

  private constructor(system: System, links: Links) {
    this.system = system
    this.links = links
    this.pool = createPool({
      url: system.postgresUrl,
      name: 'faults',
      logger: pino({ level: 'silent' }),
      maxConnections: 4,
      statementTimeoutMs: 30_000,
    })
    this.database = createDatabase(this.pool)
  }

  static async start({ dir, onLine, signal }: StartOptions): Promise<FaultSystem> {
    const proxies = new Map<keyof Links, Promise<TcpProxy>>()
    const between = async ({ kind, server, port }: ServiceLink) => {
      if (kind !== 'ingest' && kind !== 'processor') return port
      const name =
        kind === 'ingest' ? 'ingestToBroker' : server === 'rabbitmq' ? 'processorToBroker' : 'processorToDatabase'
      const proxy = proxies.get(name) ?? openProxy(port)
      proxies.set(name, proxy)
      return (await proxy).port
    }
    const closeProxies = async () => {
      await Promise.all([...proxies.values()].map(async (proxy) => await (await proxy).close()))
    }
    try {
      const system = await startSystem({
        dir,
        port: 0,
        ingests,
        processors,
        nginx: nginxForLoadTests,
        onLine,
        between,
        ...(signal && { signal }),
      })
      const links = Object.fromEntries(
        await Promise.all([...proxies].map(async ([name, proxy]) => [name, await proxy] as const)),
      ) as unknown as Links
      return new FaultSystem(system, links)
    } catch (error) {
      await closeProxies()
      throw error
    }
  }

  /** Base URLs of the ingests, without nginx. */
  get endpoints(): string[] {
    return this.ingests.map((name) => `http://127.0.0.1:${this.#service(name).port}`)
  }

  /** The operator's key, which may send and read. */
  get ownerKey(): string {
    return this.system.ownerKey
  }

  get nginx(): string {
    return this.system.baseUrl
  }

  /** Base URLs for reading: nginx, and each api directly if there are several. */
  get readEndpoints(): string[] {
    const apis = [...this.system.services].filter(([name]) => /^api(-\d+)?$/.test(name))
    return [this.nginx, ...(apis.length > 1 ? apis.map(([, { port }]) => `http://127.0.0.1:${port}`) : [])]
  }

  get ingests(): string[] {
    return this.#names('ingest-')
  }

  get processors(): string[] {
    return this.#names('processor-')
  }

  /** `postgres`, `rabbitmq`, `nginx`, `api`, `ingest-1`, `processor-1` …; each is restarted automatically when it is killed. */
  program(name: string): SupervisedProgram {
    return this.#service(name).program
  }

  /** Kills a program and waits until it is restarted and ready. */
  async kill(name: string): Promise<void> {
    const program = this.program(name)
    const { restarts } = program
    program.signal('SIGKILL')
    while (program.restarts === restarts) await new Promise((resolve) => setTimeout(resolve, 10))
    await this.ready(name)
  }

  /** Waits until a program that was killed is ready again. */
  async ready(name: string): Promise<void> {
    if (!(await this.program(name).ready(patience.timeout))) throw new Error(`${name} did not get ready again`)
  }

  /** Starts another processor; resolves when it is ready. */
  async addProcessor(
    changes: Omit<ProcessorChanges, 'between'> & { readonly ownLinks?: boolean } = {},
  ): Promise<AddedProcessor> {
    const { ownLinks = false, ...rest } = changes
    const own = ownLinks
      ? { processorToBroker: await this.#openProxy('rabbitmq'), processorToDatabase: await this.#openProxy('postgres') }
      : undefined
    const between = ({ server }: ServiceLink) =>
      server === 'rabbitmq' ? links.processorToBroker.port : links.processorToDatabase.port
    const links = own ?? this.links
    const closeLinks = async () => {
      await Promise.all([own?.processorToBroker.close(), own?.processorToDatabase.close()])
    }
    try {
      const { program, port } = await this.system.addProcessor({ ...rest, between })
      const remove = async () => {
        await this.system.removeProcessor(program.name)
        await closeLinks()
      }
      return { name: program.name, port, program, links, remove }
    } catch (error) {
      await closeLinks()
      throw error
    }
  }

  /** Calls RabbitMQ's management API below /api, as the operator. */
  async manage(method: ManagementMethod, path: string, body?: object): Promise<unknown> {
    const { amqpUrl, managementUrl } = this.system
    return await manage({ brokerUrl: amqpUrl, managementUrl }, method, path, body)
  }

  /** Calls `act` with a channel on a new, direct connection of the operator. */
  async withChannel<Result>(act: (channel: ConfirmChannel) => Promise<Result>): Promise<Result> {
    const connection = await connect(this.system.amqpUrl, { noDelay: true, timeout: 5_000 })
    connection.on('error', () => {})
    try {
      const channel = await connection.createConfirmChannel()
      channel.on('error', () => {})
      return await act(channel)
    } finally {
      await connection.close().catch(() => {})
    }
  }

  /** Messages in a queue that are ready for delivery. */
  async depth(queue: string): Promise<number> {
    return await this.withChannel(async (channel) => (await channel.checkQueue(queue)).messageCount)
  }

  /** Stops everything; may be called again. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    await this.#stopped
  }

  async #stop(): Promise<void> {
    await this.pool.end()
    await this.system.stop()
    await Promise.all(Object.values(this.links).map(async (link: TcpProxy) => await link.close()))
  }

  #service(name: string) {
    const service = this.system.services.get(name)
    if (service === undefined) throw new Error(`there is no ${name}`)
    return service
  }

  #names(prefix: string): string[] {
    return [...this.system.services.keys()].filter((name) => name.startsWith(prefix)).sort()
  }

  #openProxy(server: string): Promise<TcpProxy> {
    return openProxy(this.#service(server).port)
  }
}

function openProxy(port: number): Promise<TcpProxy> {
  return TcpProxy.open({ host: '127.0.0.1', port })
}
