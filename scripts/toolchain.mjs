// Fetches Node 24, pnpm and the dependencies of this clone if they are missing. Node and pnpm go into .local/, the dependencies
// into node_modules/. Nothing else is written, except the package managers' own caches.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { manifestAndLock, node as pinnedNode, pnpm as pinnedPnpm } from './pinned-tools.mjs'

const neededNodeMajor = 24
/** Dependencies, tools and the package managers' caches take about half of this. */
const neededBytes = 1024 ** 3
/** The lock's holder touches it each second. If it was not touched for this long, the holder has died. */
const lockStaleAfterMs = 15_000

/** The root of the clone. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const local = join(root, '.local')
const tools = join(local, 'tools')
const nodeDir = join(tools, 'node')
const pnpmEntry = join(tools, 'pnpm', 'node_modules', 'pnpm', 'bin', 'pnpm.mjs')
const stampPath = join(local, 'dependencies.stamp')
const lockPath = join(local, 'setup.lock')

/** An error that the user can fix. Only its message is shown. */
export class Problem extends Error {}

let reportChild = () => {}

function isComplete() {
  return nodePath() !== undefined && dependenciesAreInstalled()
}

/** The Node to run with: this one if it is new enough, otherwise the pinned one in .local/, if it is installed. */
export function nodePath() {
  if (Number.parseInt(process.versions.node, 10) >= neededNodeMajor) return process.execPath
  const [{ name, version }] = pinnedNode.packages
  const path = join(nodeDir, 'node_modules', name)
  return installedVersion(path) === version ? join(path, 'bin', 'node') : undefined
}

function dependenciesAreInstalled() {
  if (!existsSync(join(root, 'node_modules', '.modules.yaml'))) return false
  return existsSync(stampPath) && readFileSync(stampPath, 'utf8') === dependenciesStamp()
}

/** Changes with the dependencies, the folder and the platform. */
function dependenciesStamp() {
  const hash = createHash('sha256').update([root, process.platform, process.arch].join('\n'))
  for (const path of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...workspacePackageFiles()]) {
    if (existsSync(join(root, path))) hash.update(`\n${path}\n`).update(readFileSync(join(root, path)))
  }
  return hash.digest('hex')
}

/** The package.json of each package that pnpm-workspace.yaml names, as `folder` or `folder/*`. */
function workspacePackageFiles() {
  const text = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8')
  const list = /^packages:\n((?: +- .*\n)+)/m.exec(text)?.[1] ?? ''
  const patterns = [...list.matchAll(/- ["']?([^"'\n]+)/g)].map(([, pattern]) => pattern.trim())
  return patterns.flatMap((pattern) => {
    if (!pattern.endsWith('/*')) return [`${pattern}/package.json`]
    const folder = pattern.slice(0, -2)
    if (!existsSync(join(root, folder))) return []
    return readdirSync(join(root, folder))
      .sort()
      .map((name) => `${folder}/${name}/package.json`)
  })
}

/**
 * Fetches what is missing. `onChild` is called with each child process, and with undefined when it has ended.
 * @throws Problem
 */
export async function completeToolchain(onChild) {
  if (isComplete()) return
  reportChild = onChild
  let release = () => {}
  try {
    mkdirSync(tools, { recursive: true })
    release = await lock()
    if (isComplete()) return
    checkDiskSpace()
    if (!nodePath()) await installNode()
    if (dependenciesAreInstalled()) return
    if (installedVersion(join(dirname(pnpmEntry), '..')) !== pinnedPnpm.version) await installPnpm()
    await installDependencies()
  } catch (error) {
    const advice = error instanceof Problem ? undefined : adviceFor(`${error.code}`)
    throw advice ? new Problem(`${error.message}\n${advice}`) : error
  } finally {
    release()
  }
}

async function installNode() {
  console.log(`Installing Node ${pinnedNode.version} into .local/ (this machine's is ${process.version})`)
  const result = await npmInstall(nodeDir, pinnedNode)
  const node = nodePath()
  const check = result.code === 0 && node ? await capture(node, ['--version']) : result
  if (check.code === 0) return
  rmSync(nodeDir, { recursive: true, force: true })
  const advice = `Install Node ${neededNodeMajor} or later by hand (https://nodejs.org) and start again.`
  throw failed(`Node ${neededNodeMajor} could not be installed from npm`, check, advice)
}

/** The version of the package in this folder; undefined if there is none. */
function installedVersion(path) {
  const manifest = join(path, 'package.json')
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined
}

async function installPnpm() {
  const result = await npmInstall(join(tools, 'pnpm'), pinnedPnpm)
  if (result.code !== 0) throw failed('pnpm could not be installed from npm', result)
}

async function installDependencies() {
  console.log('Installing dependencies')
  // Without a terminal pnpm would refuse to replace a node_modules folder that another tool made.
  const options = ['--frozen-lockfile', '--config.confirmModulesPurge=false', '--reporter=append-only']
  const result = await capture(nodePath(), [pnpmEntry, 'install', ...options])
  if (result.code !== 0) {
    const outdated = /OUTDATED_LOCKFILE|FROZEN_LOCKFILE/.test(result.output)
    const advice = `A package.json was changed without its lockfile: run "node ${pnpmEntry} install".`
    throw failed('The dependencies could not be installed', result, outdated ? advice : '')
  }
  writeFileSync(stampPath, dependenciesStamp())
}

/**
 * Installs into a temporary folder that is renamed at the end, so that an aborted install is never taken for a tool. Fails if a
 * package is not the pinned one (EINTEGRITY).
 */
async function npmInstall(dir, tool) {
  const unfinished = `${dir}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true })
  for (const [name, content] of Object.entries(manifestAndLock(tool))) {
    writeFileSync(join(unfinished, name), `${JSON.stringify(content, null, 2)}\n`)
  }
  const options = [
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
    `--ignore-scripts=${!tool.scripts}`,
  ]
  const command = [...npmCommand(), 'ci', '--prefix', unfinished, ...options]
  const result = await capture(command[0], command.slice(1), unfinished)
  if (result.code === 0) {
    rmSync(dir, { recursive: true, force: true })
    renameSync(unfinished, dir)
  }
  rmSync(unfinished, { recursive: true, force: true })
  return result
}

/** The npm that started this, or the one on PATH. */
function npmCommand() {
  const script = process.env.npm_execpath
  if (script && /^npm(-cli)?\.[cm]?js$/.test(basename(script)) && existsSync(script)) return [process.execPath, script]
  const folders = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)]
  const npm = folders.map((folder) => join(folder, 'npm')).find((path) => existsSync(path))
  if (npm) return [npm]
  throw new Problem('npm was not found. It comes with Node (https://nodejs.org); on Debian and Ubuntu: apt install npm')
}

/** Runs a command to its end and collects its output, which is shown only if it fails. */
async function capture(command, args, cwd = root) {
  const child = spawn(command, args, { cwd, env: toolEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
  reportChild(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  try {
    const { code } = await ended(child)
    return { code, output }
  } catch (error) {
    return { code: 127, output: error.message }
  } finally {
    reportChild(undefined)
  }
}

/**
 * `npm start` passes its whole configuration on in variables, which would change our own calls of npm and pnpm
 * (`npm_config_prefix`, `npm_config_ignore_scripts` …). Only those that tell how to reach the registry are kept. A home that is
 * missing or not writable is replaced by one in .local/.
 */
function toolEnvironment() {
  const kept =
    /^npm_config_(registry|.*proxy|ca|cafile|cert|key|strict_ssl|cache|userconfig|globalconfig|fetch_.*|offline|prefer_offline|\/\/.*|@.*)$/i
  const entries = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) || kept.test(name))
  const environment = Object.fromEntries(entries)
  const home = process.env.HOME || homedir()
  if (isWritable(home)) return environment
  const substitute = join(tools, 'home')
  mkdirSync(substitute, { recursive: true })
  const settings = join(home, '.npmrc')
  for (const name of Object.keys(environment))
    if (/^(npm_config_cache|XDG_.*_HOME)$/i.test(name)) delete environment[name]
  if (existsSync(settings)) environment.npm_config_userconfig = settings
  return { ...environment, HOME: substitute }
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK)
    return statSync(folder).isDirectory()
  } catch {
    return false
  }
}

/** Two commands in one clone must not install at the same time: the second waits, and then finds everything installed. */
async function lock() {
  for (let told = false; ; ) {
    try {
      mkdirSync(lockPath)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (isStale(lockPath)) {
      setAside()
      continue
    }
    if (!told) console.log('Waiting for another command that installs in this folder')
    told = true
    await new Promise((settle) => setTimeout(settle, 200))
  }
  const heartbeat = setInterval(() => utimesSync(lockPath, new Date(), new Date()), 1_000)
  const release = () => {
    clearInterval(heartbeat)
    rmSync(lockPath, { recursive: true, force: true })
  }
  process.once('exit', release)
  return release
}

function isStale(path) {
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  return touched !== undefined && Date.now() - touched > lockStaleAfterMs
}

/** Another process may have taken the lock since it was found stale. A fresh lock is put back. */
function setAside() {
  const aside = `${lockPath}.${process.pid}`
  try {
    renameSync(lockPath, aside)
    if (isStale(aside)) rmSync(aside, { recursive: true, force: true })
    else renameSync(aside, lockPath)
  } catch {
    // It is gone; the next attempt will see.
  }
}

function checkDiskSpace() {
  const { bavail, bsize } = statfsSync(root)
  const free = bavail * bsize
  if (free >= neededBytes) return
  const [has, needs] = [free, neededBytes].map((bytes) => `${Math.round(bytes / 1024 ** 2)} MB`)
  throw new Problem(`The disk of ${root} has ${has} free, but the dependencies need ${needs}.`)
}

/** An error with the last lines of the tool's output and, if known, what to do. */
function failed(what, { output }, advice = '') {
  const tail = output
    .trimEnd()
    .split('\n')
    .slice(-15)
    .map((line) => `    ${line}`)
  return new Problem(
    [`${what}. The last lines of its output:`, ...tail, adviceFor(output) ?? advice].filter(Boolean).join('\n'),
  )
}

function adviceFor(output) {
  if (/EINTEGRITY/.test(output)) {
    return 'The registry sent something else than the pinned package (scripts/pinned-tools.mjs). Do not continue before you know what is between this machine and the registry.'
  }
  if (/ENOSPC|no space left/i.test(output)) return 'No space is left on the disk. Free some space and start again.'
  if (/EACCES|EPERM|EROFS/.test(output))
    return 'Something here belongs to another user: was this folder used as root before?'
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH|UND_ERR|fetch failed/i.test(output)) {
    return 'The npm registry could not be reached. Check the network and the proxy settings, then start again.'
  }
  return undefined
}

function ended(running) {
  return new Promise((settle, reject) => {
    running.once('error', reject)
    running.once('close', (code, signal) => settle({ code, signal }))
  })
}
