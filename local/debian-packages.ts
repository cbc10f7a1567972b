import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { childEnvironment, proxySettings } from './child-environment.ts'
import { waitForLock } from './folder-lock.ts'
import { setCurrent, upToDatePackage } from './package-updates.ts'
import { Problem } from './problem.ts'
import { findPrograms } from './program-search.ts'
import { lastLines, runCommand } from './run-command.ts'

export interface UnpackOptions {
  /** The package that is wanted; what it needs comes with it. */
  package: string
  /** The folder for all such packages, each in one of its own. */
  dir: string
  onLine(line: string): void
  signal?: AbortSignal | undefined
}

/**
 * The system's list of installed packages is asked first: it gives the fewest. With none at all apt can always answer,
 * even where what is installed is broken or in conflict; then what is installed is left out afterwards.
 */
const statuses = ['installed', 'nothing installed'] as const

/** The lists as the system has them, or, where they are empty or too old, lists of our own. */
const lists = ['of the system', 'of our own'] as const

/** These must come from one version and lie in one folder, so they are taken even where the system has them. */
const family = /^(erlang|rabbitmq|nginx|libnginx)(-|$)/

/** The C library belongs to the system's own loader: another version of it in a library path crashes every program. */
const neverUnpacked = /^(libc6|libc-bin|libc-dev-bin|libc-l10n|locales|base-files|dpkg|apt)$/

/** Whether this is Debian, Ubuntu or one of theirs. */
export function hasDebianPackages(): boolean {
  return ['apt-get', 'apt-cache', 'apt-config', 'dpkg', 'dpkg-query'].every((name) => findPrograms(name).length > 0)
}

/**
 * Downloads the package and what it needs from the distribution, and unpacks all of it into a folder; returns that
 * folder. When it was done before, that is what is returned, and at most once a day something newer where there is any. Works as
 * any user and installs nothing: no script of a package is run.
 * @throws Problem with the end of apt's output, where there is no such folder yet.
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

/** Each command of apt may take so long. */
const downloadWithinMs = 10 * 60_000
/** Somebody waits for a start, and has what is needed. */
const updateWithinMs = 60_000

/** Returns the name of the folder in `options.dir`, which tells the versions of all that is in it. */
async function unpack(
  options: UnpackOptions,
  from: readonly (typeof lists)[number][],
  withinMs: number,
): Promise<string> {
  const work = join(options.dir, 'apt')
  const archives = join(work, 'archives')
  const unfinished = join(options.dir, `${options.package}.unfinished`)
  let trouble = ''
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
      if (result.code !== 0) trouble = `${command} ${args[0]}:\n${lastLines(result.output)}`
      return result
    }
    if (list === 'of our own') {
      options.onLine('Reading the distribution’s package lists')
      // Its result says little: one source out of many that doesn't answer is no matter if ours are in the others.
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
    `The distribution's package ${options.package} could not be unpacked. ${trouble}\n` +
      `If this machine has no network now, try again later; or install it: sudo apt-get install ${options.package}`,
  )
}

// dpkg-query's own placeholders, not ours.
const packageAndState = ['Package', 'db:Status-Status']
  .map((field) => `$\{${field}}`)
  .join(' ')
  .concat('\\n')

type Run = (command: string, args: string[]) => Promise<{ code: number; stdout: string }>

/** What must be downloaded, as `name=version`; empty when apt doesn't know how. */
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

/** The names of the installed ones in `dpkg-query`'s list of names and states. */
export function parseInstalled(output: string): Set<string> {
  return new Set([...output.matchAll(/^(\S+) installed$/gm)].map(([, name = '']) => name))
}

/**
 * apt's variables for a configuration that is the system's (sources, keys, proxies), but writes only into `work`, runs
 * no hooks and reads no indexes besides the packages.
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
    // Nothing that belongs to the system is written, so nothing of it need be locked.
    'Debug::NoLocking': '1',
    // As root apt would download as a user of its own, who can't write here.
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
 * The lines of `apt-config dump` that say where packages come from and how to get there. The rest stays out: hooks, the
 * extra indexes that desktops add, and whatever has quotes in its value, which apt writes but can't read again.
 */
export function parseAptSettings(dump: string): string[] {
  const wanted =
    /^(Acquire::(?!IndexTargets|Languages)|Dir\b(?!::Cache)|APT::(Architecture|Default-Release|Authentication))/i
  const readable = /^[^"]+ "[^"]*";$/
  return dump.split('\n').filter((line) => wanted.test(line) && readable.test(line))
}
