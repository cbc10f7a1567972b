import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ManagementMethod, manage } from '@clicktally/broker/management.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { StartOptions, SystemUnderTest } from '@clicktally/faults/system-under-test.ts'
import { freePort, portProblem } from '@clicktally/local/ports.ts'
import { until } from '@clicktally/testing/until.ts'
import type { Kysely } from 'kysely'
import type { Pool } from 'pg'
import { pino } from 'pino'
import { ComposeProject } from './compose-project.ts'

const forms = {
  single: ['docker-compose.yml', 'test/cluster/single-ports.yml'],
  cluster: ['docker-compose.yml', 'compose.cluster.yml', 'test/cluster/cluster-ports.yml'],
} as const
const brokers = ['rabbitmq', 'rabbitmq-2', 'rabbitmq-3'] as const
const databases = ['postgres', 'postgres-2', 'postgres-3'] as const
const ingests = 2

interface Ports {
  readonly nginx: number
  /** Of the first ingest; the others follow. */
  readonly ingest: number
  /** Of the two HAProxy; in the single form the first is that of PostgreSQL. */
  readonly databases: readonly [number, number]
  readonly managements: readonly [number, number, number]
}

/** The system of compose.cluster.yml, in containers, or a single one that becomes it. The suite's own connections lead through HAProxy, as those of the services do. */
export class ClusterSystem implements SystemUnderTest {
  readonly project: ComposeProject
  readonly ownerKey: string
  readonly pool: Pool
  readonly database: Kysely<Tables>
  readonly endpoints: readonly string[]
  readonly readEndpoints: readonly string[]
  readonly #ports: Ports
  readonly #operatorPassword: string
  readonly #dir: string
  #form: keyof typeof forms
  #stopped: Promise<void> | undefined

  private constructor(project: ComposeProject, ports: Ports, secrets: Secrets, dir: string, form: keyof typeof forms) {
    const at = (port: number) => `127.0.0.1:${port}`
    this.project = project
    this.#ports = ports
    this.#dir = dir
    this.#form = form
    this.ownerKey = secrets.ownerKey
    this.#operatorPassword = secrets.operatorPassword
    this.endpoints = Array.from({ length: ingests }, (_, index) => `http://${at(ports.ingest + index)}`)
    this.readEndpoints = [`http://${at(ports.nginx)}`]
    this.pool = createPool({
      url: `postgres://clicktally:${secrets.databasePassword}@${ports.databases.map(at).join(',')}/clicktally`,
      name: 'faults',
      logger: pino({ level: 'silent' }),
      maxConnections: 4,
      statementTimeoutMs: 10_000, // also the longest that a silent proxy can hold up a measurement
    })
    this.database = createDatabase(this.pool)
  }

  static async start({ dir, signal }: StartOptions, form: keyof typeof forms): Promise<ClusterSystem> {
    const ports = await freePorts()
    const variables = {
      CLICKTALLY_LISTEN: `127.0.0.1:${ports.nginx}`,
      TEST_INGEST_PORTS: `${ports.ingest}-${ports.ingest + ingests - 1}`,
      TEST_DATABASE_PORT: String(ports.databases[0]),
      TEST_DATABASE_2_PORT: String(ports.databases[1]),
      TEST_RABBITMQ_PORT: String(ports.managements[0]),
      TEST_RABBITMQ_2_PORT: String(ports.managements[1]),
      TEST_RABBITMQ_3_PORT: String(ports.managements[2]),
      // The load comes from one address.
      CLICKTALLY_REQUESTS_PER_SECOND: '1000000',
      CLICKTALLY_REQUESTS_AT_ONCE: '65535',
      CLICKTALLY_READS_AT_ONCE: '65535',
    }
    const name = `clicktally-cluster-${process.pid}`
    const project = new ComposeProject({ name, files: forms[form], variables, ...(signal && { signal }) })
    try {
      await up(project)
      return new ClusterSystem(project, ports, await readSecrets(project), dir, form)
    } catch (error) {
      await end(project, dir)
      throw error
    }
  }

  /** Makes a cluster of a single system, as docs/scaling.md says: builds what it needs, stops it, and starts it with the other files. */
  async becomeCluster(): Promise<void> {
    if (this.#form === 'cluster') return
    this.project.setFiles(forms.cluster)
    this.#form = 'cluster'
    await this.project.compose('build')
    await this.project.compose('stop')
    await up(this.project)
  }

  async manage(method: ManagementMethod, path: string, body?: object): Promise<unknown> {
    let failure: unknown
    // Any node answers for all.
    for (const port of this.#ports.managements) {
      const brokerUrl = `amqp://operator:${this.#operatorPassword}@127.0.0.1`
      const access = { brokerUrl, managementUrl: `http://127.0.0.1:${port}`, timeoutMs: 5_000 }
      try {
        return await manage(access, method, path, body)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** The containers of RabbitMQ: that of the leader of the click queue first. */
  async brokers(): Promise<string[]> {
    const { leader } = await this.#clickQueue()
    return sortedFirst(brokers, leader.replace(/^rabbit@/, '')).map((service) => this.project.container(service))
  }

  /** The containers of PostgreSQL: the primary, its synchronous standby, the third. */
  async databases(): Promise<string[]> {
    const { rows } = await this.pool.query<{ name: string }>(
      `select application_name as name from pg_stat_replication where sync_state = 'sync'`,
    )
    const containers = databases.map((service) => this.project.container(service))
    const states = await Promise.all(
      containers.map((container) => this.#query(container, 'select pg_is_in_recovery()')),
    )
    const primary = containers[states.indexOf('f')] ?? ''
    const synchronous = this.project.container(rows[0]?.name ?? '')
    return [primary, synchronous, ...containers.filter((each) => each !== primary && each !== synchronous)]
  }

  /** Makes the synchronous standby the primary, in order. */
  async switchOver(): Promise<void> {
    const [primary = ''] = await this.databases()
    await this.project.exec(primary, 'with-secrets.sh', 'patronictl', 'switchover', 'clicktally', '--force')
  }

  /**
   * Resolves when every container works, every server follows its primary, a standby may replace it, every queue has all members, and
   * every node of RabbitMQ takes connections. RabbitMQ's health check starts three Erlang VMs, which takes longer than its limit on a busy machine.
   */
  async whole(): Promise<void> {
    const isBroker = (container: string) => brokers.some((service) => container === this.project.container(service))
    const containers = (await this.project.containers()).filter((container) => !isBroker(container))
    await until(
      async () => {
        try {
          const { online } = await this.#clickQueue()
          return (
            online.length === brokers.length &&
            (await this.#listeningBrokers()) === brokers.length &&
            (await this.#isReplicated()) &&
            (await this.#mayFailOver()) &&
            (await this.project.areHealthy(containers))
          )
        } catch {
          return false
        }
      },
      'the cluster to be whole again',
      500,
    )
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    await this.#stopped
  }

  async #stop(): Promise<void> {
    await this.pool.end()
    await end(this.project, this.#dir)
  }

  async #clickQueue(): Promise<{ leader: string; online: string[] }> {
    return (await this.manage('GET', `/queues/%2F/${topology.queue}`)) as { leader: string; online: string[] }
  }

  /** A node opens its listener last, when its queues have been members for some seconds. */
  async #listeningBrokers(): Promise<number> {
    const { listeners } = (await this.manage('GET', '/overview')) as { listeners: { protocol: string }[] }
    return listeners.filter(({ protocol }) => protocol === 'amqp').length
  }

  async #isReplicated(): Promise<boolean> {
    const { rows } = await this.pool.query<{ standbys: number; synchronous: number }>(
      `select count(*) as standbys, count(*) filter (where sync_state = 'sync') as synchronous
       from pg_stat_replication where state = 'streaming'`,
    )
    return rows[0]?.standbys === databases.length - 1 && rows[0].synchronous === 1
  }

  /** Whether etcd knows the synchronous standby. Patroni writes it down up to `loop_wait` after the standby follows a new primary. */
  async #mayFailOver(): Promise<boolean> {
    const [service = ''] = databases
    const list = ['with-secrets.sh', 'patronictl', 'list', 'clicktally', '--format', 'json']
    const members = JSON.parse(await this.project.exec(this.project.container(service), ...list)) as { Role: string }[]
    return members.some(({ Role: role }) => role === 'Sync Standby')
  }

  async #query(container: string, statement: string): Promise<string> {
    return await this.project.exec(container, 'psql', '-U', 'clicktally', '-d', 'clicktally', '-Atc', statement)
  }
}

interface Secrets {
  readonly ownerKey: string
  readonly databasePassword: string
  readonly operatorPassword: string
}

async function readSecrets(project: ComposeProject): Promise<Secrets> {
  const paths = ['operator/owner-key', 'postgres/owner-password', 'operator/broker-password']
  const run = ['run', '--rm', '--no-deps', '--no-TTY', '--entrypoint', 'sh', 'secrets']
  const text = await project.compose(...run, '-c', 'cd /secrets; for file; do cat "$file"; echo; done', 'sh', ...paths)
  const [ownerKey = '', databasePassword = '', operatorPassword = ''] = text.split(/\s+/)
  return { ownerKey, databasePassword, operatorPassword }
}

async function up(project: ComposeProject): Promise<void> {
  await project.compose('up', '--build', '--detach', '--wait')
}

/** Keeps the logs in the system's folder. */
async function end(project: ComposeProject, dir: string): Promise<void> {
  const logs = await project.compose('logs', '--no-color', '--timestamps').catch((error: Error) => error.message)
  await writeFile(join(dir, 'containers.log'), logs)
  await project.compose('--profile', 'tools', 'down', '--volumes', '--rmi', 'local', '--timeout', '20')
}

async function freePorts(): Promise<Ports> {
  const port = () => freePort()
  let ingest = await port()
  while ((await portProblem(ingest + 1)) !== undefined) ingest = await port()
  return {
    nginx: await port(),
    ingest,
    databases: [await port(), await port()],
    managements: [await port(), await port(), await port()],
  }
}

function sortedFirst<Item>(items: readonly Item[], first: unknown): Item[] {
  return items.toSorted((one, other) => Number(other === first) - Number(one === first))
}
