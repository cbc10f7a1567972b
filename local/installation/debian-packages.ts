import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitForLock } from '../files/folder-lock.ts'
import { Problem } from '../problem.ts'
import { lastLines, runCommand } from '../processes/run-command.ts'
import { childEnvironment, proxySettings } from '../services/child-environment.ts'
import { setCurrent, upToDatePackage } from './package-updates.ts'
import { findPrograms } from './program-search.ts'

export interface UnpackOptions {
  /** The package; its dependencies come with it. */
  package: string
  /** The folder for all unpacked packages, each in its own folder. */
  dir: string
  onLine(line: string): void
  signal?: AbortSignal | undefined
}

/**
 * The list of installed packages is tried first, because it leaves the fewest to download. With an empty list apt can always answer,
 * even if the installed packages are broken or in conflict; those that are installed are then left out afterwards.
 */
const statuses = ['installed', 'nothing installed'] as const

/** The system's package lists, or our own if those are empty or too old. */
const lists = ['of the system', 'of our own'] as const

/** These must have one version and be in one folder, so they are downloaded even if the system has them. */
const family = /^(erlang|rabbitmq|nginx|libnginx)(-|$)/

/** The C library belongs to the system's loader. Another version of it in a library path crashes every program. */
const neverUnpacked = /^(libc6|libc-bin|libc-dev-bin|libc-l10n|locales|base-files|dpkg|apt)$/

/** Whether this is Debian, Ubuntu or a derivative. */
export function hasDebianPackages(): boolean {
  return ['apt-get', 'apt-cache', 'apt-config', 'dpkg', 'dpkg-query'].every((name) => findPrograms(name).length > 0)
}

/**
 * Downloads the package and its dependencies from the distribution and unpacks them into a folder, which it returns. An existing
 * folder is reused, and updated at most once a day. Works as any user and installs nothing: no package script runs.
 * @throws Problem with the last lines of apt's output, if there is no such folder yet.
 */
export async function unpackedPackage(options: UnpackOptions): Promise<string> {
  const { dir, package: name, onLine, signal } = options
  mkdirSync(dir, { recursive: true })
  const lock = await waitForLock(join(options.dir, 'lock'), 10 * 60_000, ({ pid }) => {
    options.onLine(`Waiting for process ${pid}, which unpacks packages in ${options.dir}`)
  })
  try {
    const updates = { dir, name, onLine, signal, unpackNewest: () => unpack(options, ['of our own'], updateWithinMs) }
    const present = await upToDatePackage(updates)
    if (present !== undefined) return present
    const folder = await unpack(options, lists, downloadWithinMs)
    setCurrent(updates, folder)
    return join(dir, folder)
  } finally {
    lock.release()
  }
}

/** The limit for each apt command. */
const downloadWithinMs = 10 * 60_000
/** Shorter, because a usable version exists and the start waits for this. */
const updateWithinMs = 60_000

/** Returns the name of the folder in `options.dir`, which contains a hash of all package versions in it. */
async function unpack(
  options: UnpackOptions,
  from: readonly (typeof lists)[number][],
  withinMs: number,
): Promise<string> {
  const work = join(options.dir, 'apt')
  const archives = join(work, 'archives')
  const unfinished = join(options.dir, `${options.package}.unfinished`)
  let failure = ''
  for (const list of from) {
    rmSync(archives, { recursive: true, force: true })
    rmSync(unfinished, { recursive: true, force: true })
    const environment = await aptEnvironment(work, list)
    const run = async (command: string, args: string[], cwd = work) => {
      const result = await runCommand(command, args, {
        cwd,
        env: environment,
        withinMs,
        signal: options.signal,
      })
      if (result.code !== 0) failure = `${command} ${args[0]}:\n${lastLines(result.output)}`
      return result
    }
    if (list === 'of our own') {
      options.onLine('Reading the distribution’s package lists')
      // The result is ignored: a source that does not answer does not matter if the others have our packages.
      await run('apt-get', ['update'])
    }
    const versions = await neededVersions(options.package, run, work)
    if (versions.length === 0) continue
    const content = createHash('sha256').update(versions.toSorted().join('\n')).digest('hex').slice(0, 12)
    const folder = `${options.package}-${content}`
    if (existsSync(join(options.dir, folder))) return folder
    options.onLine(`Downloading ${versions.length} packages for ${options.package} from the distribution`)
    mkdirSync(archives, { recursive: true })
    const download = await run('apt-get', ['download', ...versions], archives)
    if (download.code !== 0) continue
    mkdirSync(unfinished, { recursive: true })
    const extraction = await run(
      'sh',
      ['-c', 'for file in *.deb; do dpkg -x "$file" "$1" || exit 1; done', 'sh', unfinished],
      archives,
    )
    if (extraction.code !== 0) break
    renameSync(unfinished, join(options.dir, folder))
    rmSync(work, { recursive: true, force: true })
    return folder
  }
  rmSync(unfinished, { recursive: true, force: true })
  throw new Problem(
    `The distribution's package ${options.package} could not be unpacked. ${failure}\n` +
      `If this machine is offline, try again later, or install it: sudo apt-get install ${options.package}`,
  )
}

// Placeholders of dpkg-query, not of JavaScript.
const packageAndState = ['Package', 'db:Status-Status']
  .map((field) => `$\{${field}}`)
  .join(' ')
  .concat('\\n')

type Run = (command: string, args: string[]) => Promise<{ code: number; stdout: string }>

/** The packages to download, as `name=version`; empty if apt finds no solution. */
async function neededVersions(name: string, run: Run, work: string): Promise<string[]> {
  const installed = parseInstalled((await run('dpkg-query', ['-W', '-f', packageAndState])).stdout)
  for (const status of statuses) {
    const nothing = join(work, 'nothing-installed')
    const options = status === 'installed' ? [] : ['-o', `Dir::State::status=${nothing}`]
    const simulate = async (...packages: string[]) =>
      await run('apt-get', ['install', '-s', '-y', '-q', '--no-install-recommends', ...options, ...packages])
    const simulation = await simulate(name)
    if (simulation.code !== 0) continue
    const needed = parseSimulation(simulation.stdout).filter(
      (each) => status === 'installed' || family.test(each.name) || !installed.has(each.name),
    )
    const names = new Set(needed.map((each) => each.name))
    const relatives = [...installed].filter((each) => family.test(each) && !names.has(each))
    if (relatives.length > 0 && status === 'installed') continue
    return needed.filter((each) => !neverUnpacked.test(each.name)).map((each) => `${each.name}=${each.version}`)
  }
  return []
}

/** The packages that `apt-get install -s` would install or upgrade. */
export function parseSimulation(output: string): { name: string; version: string }[] {
  return [...output.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) /gm)].map(([, name = '', version = '']) => ({
    name,
    version,
  }))
}

/** The names of the installed packages in `dpkg-query`'s list of names and states. */
export function parseInstalled(output: string): Set<string> {
  return new Set([...output.matchAll(/^(\S+) installed$/gm)].map(([, name = '']) => name))
}

/**
 * The environment for apt: the system's sources, keys and proxies, but apt writes only into `work`, runs no hooks and reads no
 * indexes besides those of packages.
 */
async function aptEnvironment(work: string, list: (typeof lists)[number]): Promise<NodeJS.ProcessEnv> {
  mkdirSync(join(work, 'lists', 'partial'), { recursive: true })
  mkdirSync(join(work, 'cache', 'archives', 'partial'), { recursive: true })
  writeFileSync(join(work, 'nothing-installed'), '')
  const dump = await runCommand('apt-config', ['dump'], { cwd: work, withinMs: 30_000 })
  const own = {
    'Dir::Etc::main': '/dev/null',
    'Dir::Etc::parts': '/dev/null',
    'Dir::Cache': join(work, 'cache'),
    ...(list === 'of our own' ? { 'Dir::State::lists': join(work, 'lists') } : {}),
    // Nothing of the system is written, so nothing of it needs to be locked.
    'Debug::NoLocking': '1',
    // As root apt would download as its own user, who cannot write here.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  }
  const settings = Object.entries(own).map(([name, value]) => `${name} "${value}";`)
  const path = join(work, 'apt.conf')
  writeFileSync(path, `${[...parseAptSettings(dump.stdout), ...settings].join('\n')}\n`)
  return childEnvironment({ APT_CONFIG: path, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }, proxySettings)
}

/**
 * The lines of `apt-config dump` with the sources of packages and the ways to reach them. Left out are hooks, the extra indexes of
 * desktops, and values with quotes, which apt writes but cannot read again.
 */
export function parseAptSettings(dump: string): string[] {
  const wanted =
    /^(Acquire::(?!IndexTargets|Languages)|Dir\b(?!::Cache)|APT::(Architecture|Default-Release|Authentication))/i
  const readable = /^[^"]+ "[^"]*";$/
  return dump.split('\n').filter((line) => wanted.test(line) && readable.test(line))
}
