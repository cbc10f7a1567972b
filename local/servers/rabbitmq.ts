import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import type { ManagementAccess } from '@clicktally/broker/management.ts'
import { localDir } from '../files/local-folder.ts'
import { findRabbitmq, type RabbitmqInstallation } from '../installation/rabbitmq-installation.ts'
import { firstAnswer, freePort } from '../ports.ts'
import { Problem } from '../problem.ts'
import { lastLines, runCommand } from '../processes/run-command.ts'
import { type Program, SupervisedProgram, type Supervision } from '../processes/supervised-program.ts'
import { type UnprivilegedUser, unprivilegedUser } from '../processes/unprivileged-user.ts'
import { childEnvironment } from '../services/child-environment.ts'
import { type DiskSpace, requireSpace, watchSpace } from './disk-space.ts'
import { watchLeaders } from './queue-leaders.ts'
import { makeServerFolder, writeServerFiles } from './server-files.ts'

export interface RabbitmqOptions {
  /** The folder for everything that it writes; created if missing. */
  dir: string
  /** Users, permissions and queues, as in a definitions file. Loaded at each start. */
  definitions: object
  /** The Erlang cookie, at least 256 random bits. Default: a new one for each start. */
  cookie?: string
  /** A node on this machine to form a cluster with, whose port mapper this one uses. It needs the same cookie. Default: none. */
  beside?: RunningRabbitmq
  /** The name of the node, before `@localhost`; different in each node of a cluster. Default: clicktally. */
  nodeName?: string
  /** A user who may see the queues, to check that each has a leader. Default: not checked. */
  watchAs?: BrokerLogin
  /** Default: free ones. */
  ports?: Partial<RabbitmqPorts>
  /** Default: `<dir>.log`. */
  logPath?: string
  supervision?: Supervision
  signal?: AbortSignal | undefined
  /** Default: what `findRabbitmq` finds. */
  installation?: RabbitmqInstallation
}

export interface BrokerLogin {
  readonly user: string
  readonly password: string
}

interface RabbitmqPorts {
  amqp: number
  management: number
  /** Metrics for Prometheus. */
  metrics: number
  /** Erlang's own ports: distribution between nodes, and the port mapper daemon. */
  distribution: number
  epmd: number
}

export interface RunningRabbitmq {
  amqpPort: number
  managementPort: number
  metricsPort: number
  epmdPort: number
  /** Such as clicktally@localhost. */
  nodeName: string
  /** Without a user. */
  url: string
  server: SupervisedProgram
  /** Undefined if it uses that of another node. */
  epmd: SupervisedProgram | undefined
  stop(): Promise<void>
}

/** The server's configuration. A server that runs as another user than the launcher cannot change it. */
const configDir = (dir: string) => `${dir}.config`

/** Relative paths, because the scripts fail when their own path contains spaces. */
const serverScript = join('sbin', 'rabbitmq-server')
/** The size of one file of the write-ahead log that all quorum queues share. */
const walBytes = 64 * 1024 ** 2
/**
 * Below this publishers are blocked. What is still written after that is less than the 256 MiB down to the floor: clicks in flight
 * (32 MiB of each ingest), acknowledgements, one more file of the log, and the segments made of it.
 */
const alarmBytes = 512 * 1024 ** 2
/**
 * Below this the broker is killed, so that it never meets a full disk. There its log fails and is restarted within the running node,
 * which has then lost what each queue wrote last: messages confirmed after such a gap are gone at the next start. A killed broker
 * loses nothing.
 */
const floorBytes = 256 * 1024 ** 2
/** A start writes the segments of at most two files of the log, and opens a new one. */
const startBytes = floorBytes + 2 * walBytes

/** The interface on which Erlang listens for other nodes. */
const onLoopback = '-kernel inet_dist_use_interface {127,0,0,1}'

/**
 * Starts a RabbitMQ in the given folder, on 127.0.0.1 and with the management plugin. Resolves when it accepts connections, after
 * the definitions are loaded. Works with RabbitMQ 3.10 (Debian 12) and 4.
 * @throws Problem when RabbitMQ is missing and cannot be fetched, or does not start.
 */
export async function startRabbitmq(options: RabbitmqOptions): Promise<RunningRabbitmq> {
  const { dir, signal, supervision = { onLine: () => {} }, beside } = options
  const nodeName = `${options.nodeName ?? 'clicktally'}@localhost`
  const installation =
    options.installation ?? (await findRabbitmq({ toolsDir: localDir, onLine: supervision.onLine, signal }))
  const ports: RabbitmqPorts = {
    amqp: options.ports?.amqp ?? (await freePort()),
    management: options.ports?.management ?? (await freePort()),
    metrics: options.ports?.metrics ?? (await freePort()),
    distribution: options.ports?.distribution ?? (await freePort()),
    epmd: beside?.epmdPort ?? options.ports?.epmd ?? (await freePort()),
  }
  mkdirSync(dirname(dir), { recursive: true })
  const user = await unprivilegedUser({
    folders: [dirname(dir), ...installation.folders],
    programs: [installation.epmd],
  })
  makeServerFolder(dir, user)
  const { cookie = randomBytes(32).toString('hex') } = options
  const files = [
    { path: 'definitions.json', content: JSON.stringify(options.definitions) },
    { path: 'rabbitmq.conf', content: configuration(dir, ports) },
    { path: 'advanced.config', content: advancedConfiguration },
    { path: 'enabled_plugins', content: '[rabbitmq_management,rabbitmq_prometheus].\n' },
    // With the cookie anyone can run code as the server's user. Erlang's own cookie is 20 letters that can be guessed from the
    // time. Erlang requires that no other user can read the file.
    { path: 'home/.erlang.cookie', content: cookie, ownedByServer: true },
  ]
  writeServerFiles(configDir(dir), files, user)

  const shared = { dir, ports, nodeName, installation, user, watchAs: options.watchAs }
  const logPath = options.logPath ?? `${dir}.log`
  const epmd =
    beside === undefined
      ? new SupervisedProgram(epmdProgram({ ...shared, logPath: join(dirname(logPath), 'epmd.log') }), supervision)
      : undefined
  const server = new SupervisedProgram(serverProgram({ ...shared, logPath }), supervision)
  const stop = async () => {
    await server.stop()
    if (epmd === undefined) return
    await epmd.stop()
    // If our epmd had just crashed, Erlang has started another one, which would outlive it. This stops that one.
    await firstAnswer(ports.epmd, epmdRequest('k'), 1_000)
  }
  try {
    await epmd?.start(signal)
    await server.start(signal)
  } catch (error) {
    await stop()
    throw error
  }
  const url = `amqp://127.0.0.1:${ports.amqp}`
  const { amqp: amqpPort, management: managementPort, metrics: metricsPort, epmd: epmdPort } = ports
  return { amqpPort, managementPort, metricsPort, epmdPort, nodeName, url, server, epmd, stop }
}

/**
 * Runs `rabbitmqctl`, or another of its tools, of the same installation, user and settings on a server that `startRabbitmq`
 * started. Takes about half a second, and a minute on a machine that is very busy.
 * @throws Problem with the last lines of its output when it fails.
 */
export async function rabbitmqctl(
  { program }: SupervisedProgram,
  args: string[],
  tool: 'rabbitmqctl' | 'rabbitmq-queues' = 'rabbitmqctl',
): Promise<string> {
  const asUser = program.args.slice(0, program.args.indexOf(serverScript))
  const { code, output } = await runCommand(program.command, [...asUser, join('sbin', tool), ...args], {
    cwd: program.cwd,
    env: { ...program.env, RABBITMQ_CTL_ERL_ARGS: onLoopback },
    withinMs: 300_000,
  })
  if (code !== 0) throw new Problem(`${tool} ${args[0]} ended with code ${code}:\n${lastLines(output)}`)
  return output
}

function configuration(dir: string, ports: RabbitmqPorts): string {
  const memory = process.constrainedMemory() || totalmem()
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
    'management.tcp.ip = 127.0.0.1',
    `management.tcp.port = ${ports.management}`,
    'prometheus.tcp.ip = 127.0.0.1',
    `prometheus.tcp.port = ${ports.metrics}`,
    `load_definitions = ${join(configDir(dir), 'definitions.json')}`,
    'heartbeat = 10',
    // A day. Processors return what they cannot write after 15 s (decision 0013); this is for when the broker cannot take it back.
    'consumer_timeout = 86400000',
    // The machine runs other programs too: a quarter of the memory, at most 1 GiB. Above it publishers are blocked.
    `vm_memory_high_watermark.absolute = ${Math.floor(Math.min(Math.min(memory, totalmem()) / 4, 1024 ** 3))}`,
    `disk_free_limit.absolute = ${alarmBytes}`,
    'log.console = true',
    'log.console.level = info',
    'log.file = false',
  ]
  return `${lines.join('\n')}\n`
}

/**
 * Quorum queues keep this much in memory and on disk before they write segments; the default is 512 MiB. RabbitMQ 4.3 moved the
 * setting to `quorum_queue.wal_max_size_bytes` in rabbitmq.conf, where older versions reject unknown names. This file accepts both.
 */
const advancedConfiguration = `[
  {ra, [{wal_max_size_bytes, ${walBytes}}]},
  {rabbit, [{quorum_wal_max_size_bytes, ${walBytes}}]}
].
`

interface Setup {
  dir: string
  ports: RabbitmqPorts
  nodeName: string
  installation: RabbitmqInstallation
  user: UnprivilegedUser
  watchAs?: BrokerLogin | undefined
  logPath: string
}

function epmdProgram({ dir, ports, installation, user, logPath }: Setup): Program {
  return {
    name: 'epmd',
    ...user.commandLine(installation.epmd, ['-port', String(ports.epmd), '-address', '127.0.0.1']),
    cwd: dir,
    env: childEnvironment({ ...installation.env, HOME: join(configDir(dir), 'home') }),
    logPath,
    stopSignal: 'SIGTERM',
    stopWithinMs: 5_000,
    readyWithinMs: 120_000,
    isReady: async () => (await firstAnswer(ports.epmd, epmdRequest('n'), 1_000)) !== undefined,
  }
}

/** A one-letter request to epmd: n lists the names, k stops it. */
function epmdRequest(letter: 'n' | 'k'): Buffer {
  return Buffer.from([0, 1, letter.charCodeAt(0)])
}

function serverProgram({ dir, ports, nodeName, installation, user, watchAs, logPath }: Setup): Program {
  const scripts = dirname(installation.serverScript)
  const space: DiskSpace = { dir, floorBytes, startBytes }
  return {
    name: 'rabbitmq',
    ...user.commandLine('sh', [serverScript]),
    cwd: dirname(scripts),
    env: childEnvironment({
      ...installation.env,
      HOME: join(configDir(dir), 'home'),
      LC_ALL: 'C.UTF-8',
      ERL_EPMD_PORT: String(ports.epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_CRASH_DUMP: join(dir, 'erl_crash.dump'),
      RABBITMQ_NODENAME: nodeName,
      RABBITMQ_DIST_PORT: String(ports.distribution),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-noinput ${onLoopback}`,
      // The script then execs the server, instead of staying its parent, which could die alone.
      RABBITMQ_ALLOW_INPUT: '1',
      RABBITMQ_BASE: dir,
      RABBITMQ_CONFIG_FILE: join(configDir(dir), 'rabbitmq.conf'),
      // By default these are in /etc, with the settings of the machine's own broker.
      RABBITMQ_CONFIG_FILES: join(configDir(dir), 'conf.d'),
      RABBITMQ_ADVANCED_CONFIG_FILE: join(configDir(dir), 'advanced.config'),
      RABBITMQ_CONF_ENV_FILE: join(configDir(dir), 'rabbitmq-env.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(configDir(dir), 'enabled_plugins'),
      RABBITMQ_PLUGINS_DIR: join(dirname(scripts), 'plugins'),
      RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'generated'),
      RABBITMQ_SCHEMA_DIR: join(dir, 'schema'),
      RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
      RABBITMQ_PID_FILE: join(dir, 'rabbitmq.pid'),
      RABBITMQ_LOG_BASE: join(dir, 'log'),
      RABBITMQ_LOGS: '-',
    }),
    logPath,
    stopSignal: 'SIGTERM',
    stopWithinMs: 30_000,
    // A start takes 9 s on an idle machine with two cores.
    readyWithinMs: 300_000,
    isReady: () => takesConnections(ports.amqp),
    beforeStart: () => requireSpace(space),
    healthChecks: [watchSpace(space), ...(watchAs ? [watchLeaders(managementAccess(watchAs, ports))] : [])],
  }
}

function managementAccess({ user, password }: BrokerLogin, ports: RabbitmqPorts): ManagementAccess {
  return {
    managementUrl: `http://127.0.0.1:${ports.management}`,
    brokerUrl: `amqp://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${ports.amqp}`,
  }
}

/** A broker that accepts connections answers the protocol header with a method frame (type 1): Connection.Start. */
async function takesConnections(port: number): Promise<boolean> {
  const answer = await firstAnswer(port, Buffer.from('AMQP\0\0\x09\x01', 'latin1'), 2_000)
  return answer?.[0] === 1
}
