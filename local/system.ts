import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureSecrets } from '@clicktally/secrets/secrets.ts'
import { serviceNames } from '@clicktally/system/parts.ts'
import { cachedPages } from '@clicktally/web/build/pages.ts'
import { openBackup, refuseUnfinishedRestore } from './backup.ts'
import { claimFolder } from './files/claimed-folder.ts'
import { localDir } from './files/local-folder.ts'
import { removeSystemFile, writeSystemFile } from './files/system-file.ts'
import { findPrometheus } from './installation/prometheus-installation.ts'
import { findRabbitmq } from './installation/rabbitmq-installation.ts'
import { freePort } from './ports.ts'
import { checkDiskSpace, checkPort } from './preconditions.ts'
import type { Supervision } from './processes/supervised-program.ts'
import { findNginx, startNginx } from './servers/nginx.ts'
import { baseUrlOf, defaultNginxSettings, type NginxSettings } from './servers/nginx-settings.ts'
import { startPostgres } from './servers/postgres.ts'
import {
  type ObservabilityOptions,
  type RunningObservability,
  type ScrapeTarget,
  startObservability,
} from './servers/prometheus.ts'
import { startRabbitmq } from './servers/rabbitmq.ts'
import { allOrFirstError, LaunchLevels } from './services/launch-levels.ts'
import { type RunningService, type StartedServices, startServices } from './services/service-launch.ts'
import type { Between } from './services/service-link.ts'

export interface SystemOptions {
  /** The folder for data, logs, secrets: one system at a time. */
  dir: string
  /** The port of plain HTTP, instead of that of the settings; 0 takes a free one. */
  port?: number | undefined
  ingests: number
  processors: number
  /** Receives each line of progress. */
  onLine(line: string): void
  /** Aborts the start and stops what was started. */
  signal?: AbortSignal
  /** Kills every process at once. */
  killSignal?: AbortSignal
  /** More variables for the services, such as LOG_LEVEL. */
  variables?: Record<string, string>
  /** The settings of nginx, and where it listens. Default: as `npm start` without settings. */
  nginx?: NginxSettings
  /** Also starts Prometheus and Alertmanager. `adapt` changes their configuration, for tests. Default: not. */
  observability?: Pick<ObservabilityOptions, 'adapt' | 'onUsualPorts'> | undefined
  /** The folder of a backup, from which a new system is made. */
  restore?: string | undefined
  /** Called for each connection of a service to a server. A test may return the port of a proxy. */
  between?: Between
}

export interface System extends Pick<StartedServices, 'addProcessor' | 'removeProcessor'> {
  /** Where clients find nginx: `http://127.0.0.1:8080`. */
  baseUrl: string
  /** As the owner of the database, with its password. */
  postgresUrl: string
  /** As the broker's operator, with its password. */
  amqpUrl: string
  managementUrl: string
  /** RabbitMQ's metrics, in the format of Prometheus. */
  brokerMetricsUrl: string
  /** The operator's key, which has every right. */
  ownerKey: string
  observability: RunningObservability | undefined
  logsDir: string
  secretsDir: string
  /** By name: postgres, rabbitmq, processor-1 …, ingest-1 …, api, nginx. Each is restarted on its port when it dies. */
  services: Map<string, RunningService>
  /** Stops everything, in reverse order. */
  stop(): Promise<void>
}

/**
 * Starts the whole system in the order of its dependencies, and resolves when nginx answers and every service is ready.
 * @throws Problem when it cannot start; nothing is left running then.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { dir, onLine, signal, killSignal } = options
  checkDiskSpace(dir)
  const nginx = await withPort(options.nginx ?? defaultNginxSettings, options.port)
  const baseUrl = baseUrlOf(nginx)
  const folder = await claimFolder(dir, baseUrl, onLine)
  killSignal?.addEventListener('abort', folder.killAll)
  const levels = new LaunchLevels()
  const stop = async () => {
    removeSystemFile(dir)
    await levels.stopAll(onLine)
    folder.release()
  }
  try {
    // A launcher that was killed leaves it behind.
    removeSystemFile(dir)
    await checkPort(nginx.listen, 'npm start -- --port ')
    if (nginx.tls !== 'off') await checkPort(nginx.listenTls, `CLICKTALLY_LISTEN_TLS=${nginx.listenTls.host}:`)
    const system = await startAll({ ...options, nginx }, folder.supervision, levels)
    // The start may have been aborted while its last step succeeded.
    signal?.throwIfAborted()
    return { ...system, baseUrl, stop }
  } catch (error) {
    await stop()
    signal?.throwIfAborted()
    throw error
  }
}

async function withPort(settings: NginxSettings, port: number | undefined): Promise<NginxSettings> {
  if (port === undefined) return settings
  return { ...settings, listen: { ...settings.listen, port: port === 0 ? await freePort() : port } }
}

async function startAll(
  {
    dir,
    ingests,
    processors,
    onLine,
    signal,
    variables = {},
    between = ({ port }) => port,
    observability,
    restore,
    nginx: nginxSettings,
  }: SystemOptions & { nginx: NginxSettings },
  supervision: Supervision,
  levels: LaunchLevels,
): Promise<Omit<System, 'baseUrl' | 'stop'>> {
  const logsDir = join(dir, 'logs')
  const secretsDir = join(dir, 'secrets')
  const logPath = (name: string) => join(logsDir, `${name}.log`)
  const services = new Map<string, RunningService>()
  if (restore === undefined) refuseUnfinishedRestore(dir)
  const backup = restore === undefined ? undefined : await openBackup(restore, dir)
  await ensureSecrets(secretsDir)
  const secret = (path: string) => readFileSync(join(secretsDir, path), 'utf8')

  // Both come first, so that a missing program is reported before anything is started.
  const find = { toolsDir: localDir, onLine, signal }
  const rabbitmqInstallation = await findRabbitmq(find)
  const nginxInstallation = await findNginx(find)
  const prometheus = observability && (await findPrometheus(find))
  const pages = await cachedPages(join(localDir, 'pages'), () => onLine('Building the dashboard'))
  signal?.throwIfAborted()

  onLine('Starting PostgreSQL and RabbitMQ')
  const servers = levels.next()
  const running = { supervision, signal }
  const [postgres, rabbitmq] = await allOrFirstError([
    startPostgres({
      ...running,
      dir: join(dir, 'data', 'postgres'),
      password: secret('postgres/owner-password'),
      logPath: logPath('postgres'),
    }).then((started) => {
      onLine(`postgres is ready on 127.0.0.1:${started.port}`)
      servers.push({ name: 'postgres', stop: started.stop })
      return started
    }),
    startRabbitmq({
      ...running,
      dir: join(dir, 'data', 'rabbitmq'),
      installation: rabbitmqInstallation,
      definitions: JSON.parse(secret('rabbitmq/definitions.json')),
      cookie: secret('rabbitmq/erlang-cookie'),
      watchAs: { user: 'operator', password: secret('operator/broker-password') },
      logPath: logPath('rabbitmq'),
    }).then((started) => {
      onLine(`rabbitmq is ready on 127.0.0.1:${started.amqpPort}`)
      servers.push({ name: 'rabbitmq', stop: started.stop })
      return started
    }),
  ])
  services.set('postgres', { program: postgres.server, port: postgres.port })
  services.set('rabbitmq', { program: rabbitmq.server, port: rabbitmq.amqpPort })

  await backup?.restoreTo(postgres.url, onLine)

  const started = await startServices({
    ...running,
    serverPorts: { postgres: postgres.port, rabbitmq: rabbitmq.amqpPort },
    instances: { ingest: ingests, processor: processors },
    variables,
    between,
    secretsDir,
    logPath,
    levels,
    services,
  })

  const nginxDir = join(dir, 'data', 'nginx')
  const nginx = await startNginx({
    ...running,
    upstreams: started.upstreams,
    settings: nginxSettings,
    pages,
    dir: nginxDir,
    installation: nginxInstallation,
    logPath: logPath('nginx'),
  })
  services.set('nginx', { program: nginx.program, port: nginxSettings.listen.port })
  levels.next().push({ name: 'nginx', stop: nginx.stop })
  onLine(`nginx is ready on ${nginxSettings.listen.host}:${nginxSettings.listen.port}`)
  writeSystemFile(dir, {
    // The command line need not trust a certificate.
    baseUrl: nginxSettings.tls === 'off' ? baseUrlOf(nginxSettings) : `http://127.0.0.1:${nginx.internalPort}`,
    postgresPort: postgres.port,
    amqpPort: rabbitmq.amqpPort,
    managementPort: rabbitmq.managementPort,
  })

  const observing =
    prometheus &&
    (await startObservability({
      ...running,
      ...observability,
      dir: join(dir, 'data', 'observability'),
      services: scrapeTargets(services),
      rabbitmqAddress: `127.0.0.1:${rabbitmq.metricsPort}`,
      installation: prometheus,
      logPath,
    }))
  if (observing) levels.next().push({ name: 'prometheus', stop: observing.stop })

  return {
    postgresUrl: postgres.url,
    amqpUrl: `amqp://operator:${encodeURIComponent(secret('operator/broker-password'))}@127.0.0.1:${rabbitmq.amqpPort}`,
    managementUrl: `http://127.0.0.1:${rabbitmq.managementPort}`,
    brokerMetricsUrl: `http://127.0.0.1:${rabbitmq.metricsPort}`,
    ownerKey: secret('operator/owner-key'),
    logsDir,
    secretsDir,
    observability: observing,
    services,
    addProcessor: started.addProcessor,
    removeProcessor: started.removeProcessor,
  }
}

/** The services that serve metrics. Each instance has the job of its service. */
function scrapeTargets(services: ReadonlyMap<string, RunningService>): ScrapeTarget[] {
  return [...services].flatMap(([name, { port }]) => {
    const job = name.replace(/-\d+$/, '')
    const isOurs = (serviceNames as readonly string[]).includes(job)
    return isOurs && port > 0 ? [{ job, address: `127.0.0.1:${port}` }] : []
  })
}
