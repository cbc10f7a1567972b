import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { childEnvironment } from './child-environment.ts'
import { type DiskRoom, requireRoom, watchRoom } from './disk-room.ts'
import { localDir } from './local-folder.ts'
import { firstAnswer, freePort } from './ports.ts'
import { Problem } from './problem.ts'
import { type ManagementAccess, watchLeaders } from './queue-leaders.ts'
import { findRabbitmq, type RabbitmqInstallation } from './rabbitmq-installation.ts'
import { lastLines, runCommand } from './run-command.ts'
import { makeServerFolder, writeServerFiles } from './server-files.ts'
import { type Program, SupervisedProgram, type Supervision } from './supervised-program.ts'
import { type UnprivilegedUser, unprivilegedUser } from './unprivileged-user.ts'

export interface RabbitmqOptions {
  /** The folder for all it writes; made when it isn't there. */
  dir: string
  /** What the broker must have: users, permissions, queues, as in a definitions file. Loaded at each start. */
  definitions: object
  /** Erlang's, of at least 256 random bits. Default: one of its own for each start. */
  cookie?: string
  /** A user of those who may see the queues: as this one it is watched that each queue has a leader. Default: not watched. */
  watchAs?: Omit<ManagementAccess, 'port'>
  /** Default: free ones. */
  ports?: Partial<RabbitmqPorts>
  /** Default: `<dir>.log`. */
  logPath?: string
  supervision?: Supervision
  signal?: AbortSignal | undefined
  /** Default: what `findRabbitmq` finds. */
  installation?: RabbitmqInstallation
}

interface RabbitmqPorts {
  amqp: number
  management: number
  /** Erlang's own: between nodes, and the daemon that knows nodes by their names. */
  distribution: number
  epmd: number
}

export interface RunningRabbitmq {
  amqpPort: number
  managementPort: number
  /** Without a user. */
  url: string
  server: SupervisedProgram
  epmd: SupervisedProgram
  stop(): Promise<void>
}

/** What the server is told; it can't change it where it is another user's than the launcher. */
const configDir = (dir: string) => `${dir}.config`

/** Called by paths without the folders above: the scripts can't cope with blanks in their own path. */
const serverScript = join('sbin', 'rabbitmq-server')
const controlScript = join('sbin', 'rabbitmqctl')
/** The size of a file of the log that all quorum queues share. */
const walBytes = 64 * 1024 ** 2
/**
 * Below this publishers wait. What is written all the same is less than the 256 MiB down to the floor: clicks on their way
 * (32 MiB of each ingest), acknowledgements, a further file of the log, and the segments that one becomes.
 */
const alarmBytes = 512 * 1024 ** 2
/**
 * Below this the broker is killed: it must never meet a full disk. Its log fails there and is restarted within the running
 * node, which has then forgotten what each queue wrote last: what is confirmed after such a gap is gone at the next start. A
 * killed broker loses nothing.
 */
const floorBytes = 256 * 1024 ** 2
/** A start writes the segments of at most two files of the log, and opens a new one. */
const startBytes = floorBytes + 2 * walBytes

/** What an Erlang listens on for other Erlangs. */
const onLoopback = '-kernel inet_dist_use_interface {127,0,0,1}'

/**
 * Starts a RabbitMQ of our own in the given folder, everything on 127.0.0.1 and with the management plugin; resolves
 * when it takes connections, which is after the definitions were loaded. Works with 3.10 (Debian 12's) and 4.
 * @throws Problem when there is none and none can be fetched, or it doesn't come up.
 */
export async function startRabbitmq(options: RabbitmqOptions): Promise<RunningRabbitmq> {
  const { dir, signal, supervision = { onLine: () => {} } } = options
  const installation =
    options.installation ?? (await findRabbitmq({ toolsDir: localDir, onLine: supervision.onLine, signal }))
  const ports: RabbitmqPorts = {
    amqp: options.ports?.amqp ?? (await freePort()),
    management: options.ports?.management ?? (await freePort()),
    distribution: options.ports?.distribution ?? (await freePort()),
    epmd: options.ports?.epmd ?? (await freePort()),
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
    { path: 'enabled_plugins', content: '[rabbitmq_management].\n' },
    // Whoever knows it may run anything as the server's user. Erlang makes one by itself where there is none, of 20 letters
    // that can be guessed from the time; it insists that nobody else may read the file.
    { path: 'home/.erlang.cookie', content: cookie, ownedByServer: true },
  ]
  writeServerFiles(configDir(dir), files, user)

  const shared = { dir, ports, installation, user, watchAs: options.watchAs }
  const logPath = options.logPath ?? `${dir}.log`
  const epmd = new SupervisedProgram(
    epmdProgram({ ...shared, logPath: join(dirname(logPath), 'epmd.log') }),
    supervision,
  )
  const server = new SupervisedProgram(serverProgram({ ...shared, logPath }), supervision)
  const stop = async () => {
    await server.stop()
    await epmd.stop()
    // An Erlang that found no such daemon (ours had just crashed) starts one that outlives it: this ends that one.
    await firstAnswer(ports.epmd, epmdRequest('k'), 1_000)
  }
  try {
    await epmd.start(signal)
    await server.start(signal)
  } catch (error) {
    await stop()
    throw error
  }
  const url = `amqp://127.0.0.1:${ports.amqp}`
  return { amqpPort: ports.amqp, managementPort: ports.management, url, server, epmd, stop }
}

/**
 * Runs `rabbitmqctl`, of the same installation, as the same user and with the same settings, on a server that
 * `startRabbitmq` started. It takes about half a second.
 * @throws Problem with the end of its output when it fails.
 */
export async function rabbitmqctl({ program }: SupervisedProgram, args: string[]): Promise<string> {
  const asUser = program.args.slice(0, program.args.indexOf(serverScript))
  const { code, output } = await runCommand(program.command, [...asUser, controlScript, ...args], {
    cwd: program.cwd,
    env: { ...program.env, RABBITMQ_CTL_ERL_ARGS: onLoopback },
    withinMs: 60_000,
  })
  if (code !== 0) throw new Problem(`rabbitmqctl ${args[0]} ended with code ${code}:\n${lastLines(output)}`)
  return output
}

function configuration(dir: string, ports: RabbitmqPorts): string {
  const memory = process.constrainedMemory() || totalmem()
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
    'management.tcp.ip = 127.0.0.1',
    `management.tcp.port = ${ports.management}`,
    `load_definitions = ${join(configDir(dir), 'definitions.json')}`,
    'heartbeat = 10',
    // A day: processors hand back what they cannot write after 15 s (decision 0013). This is for when the broker cannot take it.
    'consumer_timeout = 86400000',
    // On a machine that does other things too: a quarter of the memory, 1 GiB at most. Above it publishers wait.
    `vm_memory_high_watermark.absolute = ${Math.floor(Math.min(Math.min(memory, totalmem()) / 4, 1024 ** 3))}`,
    `disk_free_limit.absolute = ${alarmBytes}`,
    'log.console = true',
    'log.console.level = info',
    'log.file = false',
  ]
  return `${lines.join('\n')}\n`
}

/**
 * Quorum queues keep this much in memory and on disk before they write segments; the default is 512 MiB. The setting has moved
 * with RabbitMQ 4.3 (`quorum_queue.wal_max_size_bytes` in its rabbitmq.conf), and rabbitmq.conf takes no name that a version
 * does not know. Here both may stand.
 */
const advancedConfiguration = `[
  {ra, [{wal_max_size_bytes, ${walBytes}}]},
  {rabbit, [{quorum_wal_max_size_bytes, ${walBytes}}]}
].
`

interface Parts {
  dir: string
  ports: RabbitmqPorts
  installation: RabbitmqInstallation
  user: UnprivilegedUser
  watchAs?: Omit<ManagementAccess, 'port'> | undefined
  logPath: string
}

function epmdProgram({ dir, ports, installation, user, logPath }: Parts): Program {
  return {
    name: 'epmd',
    ...user.commandLine(installation.epmd, ['-port', String(ports.epmd), '-address', '127.0.0.1']),
    cwd: dir,
    env: childEnvironment({ ...installation.env, HOME: join(configDir(dir), 'home') }),
    logPath,
    stopSignal: 'SIGTERM',
    stopWithinMs: 5_000,
    readyWithinMs: 60_000,
    isReady: async () => (await firstAnswer(ports.epmd, epmdRequest('n'), 1_000)) !== undefined,
  }
}

/** A request of one letter to epmd: n lists the names, k ends it. */
function epmdRequest(letter: 'n' | 'k'): Buffer {
  return Buffer.from([0, 1, letter.charCodeAt(0)])
}

function serverProgram({ dir, ports, installation, user, watchAs, logPath }: Parts): Program {
  const scripts = dirname(installation.serverScript)
  const room: DiskRoom = { dir, floorBytes, startBytes }
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
      RABBITMQ_NODENAME: 'clicktally@localhost',
      RABBITMQ_DIST_PORT: String(ports.distribution),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-noinput ${onLoopback}`,
      // With this the script becomes the server, instead of waiting for it as a parent that could die alone.
      RABBITMQ_ALLOW_INPUT: '1',
      RABBITMQ_BASE: dir,
      RABBITMQ_CONFIG_FILE: join(configDir(dir), 'rabbitmq.conf'),
      // These have places in /etc by default, where the machine's own broker has its settings.
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
    // 9 s on an idle machine of two cores.
    readyWithinMs: 120_000,
    isReady: () => takesConnections(ports.amqp),
    beforeStart: () => requireRoom(room),
    watches: [watchRoom(room), ...(watchAs ? [watchLeaders({ ...watchAs, port: ports.management })] : [])],
  }
}

/** A broker that takes connections answers the protocol's header with a method frame (type 1): Connection.Start. */
async function takesConnections(port: number): Promise<boolean> {
  const answer = await firstAnswer(port, Buffer.from('AMQP\0\0\x09\x01', 'latin1'), 2_000)
  return answer?.[0] === 1
}
