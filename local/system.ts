import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureSecrets } from '@clicktally/secrets/secrets.ts'
import { claimFolder } from './claimed-folder.ts'
import { type DoorSettings, defaultDoorSettings } from './door-settings.ts'
import { allOrFirstError, LaunchLevels } from './launch-levels.ts'
import { localDir } from './local-folder.ts'
import { findNginx, startNginx } from './nginx.ts'
import { freePort } from './ports.ts'
import { startPostgres } from './postgres.ts'
import { checkDiskSpace, checkPort } from './preconditions.ts'
import { startRabbitmq } from './rabbitmq.ts'
import { findRabbitmq } from './rabbitmq-installation.ts'
import { type RunningService, type StartedServices, startServices } from './service-launch.ts'
import type { Between } from './service-link.ts'
import type { Supervision } from './supervised-program.ts'
import { removeSystemFile, writeSystemFile } from './system-file.ts'

export interface SystemOptions {
  /** The folder for data, logs, secrets: one system at a time. */
  dir: string
  /** Where nginx listens on 127.0.0.1; 0 takes a free one. */
  port: number
  ingests: number
  processors: number
  /** Told what happens, a line each. */
  onLine(line: string): void
  /** Breaks the start off; what was started is stopped then. */
  signal?: AbortSignal
  /** Ends every process at once, without asking, whatever is going on. */
  killSignal?: AbortSignal
  /** More variables for the three services, such as LOG_LEVEL. */
  variables?: Record<string, string>
  /** What nginx serves, to whom, and how much of it. Default: as `npm start` without settings. */
  door?: DoorSettings
  /** Asked for each service's connection to a server: who wants to break it puts a port of its own in between. */
  between?: Between
}

export interface System extends Pick<StartedServices, 'addProcessor' | 'removeProcessor'> {
  /** The public door: `http://127.0.0.1:8080`. */
  baseUrl: string
  /** For the owner of the database, with its password. */
  postgresUrl: string
  /** For the broker's operator, with its password. */
  amqpUrl: string
  managementUrl: string
  logsDir: string
  secretsDir: string
  /** By name: postgres, rabbitmq, processor-1 …, ingest-1 …, api, nginx. Each comes back, on its port, when it dies. */
  services: Map<string, RunningService>
  /** Stops everything, in reverse order. */
  stop(): Promise<void>
}

/**
 * Starts the whole system, in the order in which each needs the other, and resolves when nginx answers and every
 * service says that it is ready.
 * @throws Problem when something stands in the way; nothing is left running then.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { dir, onLine, signal, killSignal } = options
  checkDiskSpace(dir)
  const port = options.port === 0 ? await freePort() : options.port
  const baseUrl = `http://127.0.0.1:${port}`
  const folder = await claimFolder(dir, baseUrl, onLine)
  killSignal?.addEventListener('abort', folder.killAll)
  const levels = new LaunchLevels()
  const stop = async () => {
    removeSystemFile(dir)
    await levels.stopAll(onLine)
    folder.release()
  }
  try {
    // A launcher that was killed has left it.
    removeSystemFile(dir)
    await checkPort(port)
    const system = await startAll({ ...options, port }, folder.supervision, levels)
    // The last step may have ended well in the moment in which the start was broken off.
    signal?.throwIfAborted()
    return { ...system, baseUrl, stop }
  } catch (error) {
    await stop()
    signal?.throwIfAborted()
    throw error
  }
}

async function startAll(
  {
    dir,
    port,
    ingests,
    processors,
    onLine,
    signal,
    variables = {},
    between = ({ port }) => port,
    door = defaultDoorSettings,
  }: SystemOptions,
  supervision: Supervision,
  levels: LaunchLevels,
): Promise<Omit<System, 'baseUrl' | 'stop'>> {
  const logsDir = join(dir, 'logs')
  const secretsDir = join(dir, 'secrets')
  const logPath = (name: string) => join(logsDir, `${name}.log`)
  const services = new Map<string, RunningService>()
  await ensureSecrets(secretsDir)
  const secret = (path: string) => readFileSync(join(secretsDir, path), 'utf8')

  // Both first: what is missing on this machine is said before anything has been started.
  const find = { toolsDir: localDir, onLine, signal }
  const rabbitmqInstallation = await findRabbitmq(find)
  const nginxInstallation = await findNginx(find)

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

  const started = await startServices({
    ...running,
    postgresPort: postgres.port,
    amqpPort: rabbitmq.amqpPort,
    ingests,
    processors,
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
    ingestPorts: started.ingestPorts,
    apiPorts: started.apiPorts,
    door,
    dir: nginxDir,
    port,
    installation: nginxInstallation,
    logPath: logPath('nginx'),
  })
  services.set('nginx', { program: nginx, port })
  levels.next().push({ name: 'nginx', stop: () => nginx.stop() })
  onLine(`nginx is ready on 127.0.0.1:${port}`)
  writeSystemFile(dir, {
    baseUrl: `http://127.0.0.1:${port}`,
    postgresPort: postgres.port,
    amqpPort: rabbitmq.amqpPort,
    managementPort: rabbitmq.managementPort,
  })

  return {
    postgresUrl: postgres.url,
    amqpUrl: `amqp://operator:${encodeURIComponent(secret('operator/broker-password'))}@127.0.0.1:${rabbitmq.amqpPort}`,
    managementUrl: `http://127.0.0.1:${rabbitmq.managementPort}`,
    logsDir,
    secretsDir,
    services,
    addProcessor: started.addProcessor,
    removeProcessor: started.removeProcessor,
  }
}
