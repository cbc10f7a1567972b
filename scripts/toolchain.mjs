// Node 24, pnpm and the dependencies of this clone, fetched when they are missing. Node and pnpm go into .local/, the
// dependencies into node_modules/; nothing goes elsewhere, but for the package managers' own caches.

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
/** Dependencies, tools and the package managers' caches together take about half of this. */
const neededBytes = 1024 ** 3
/** The lock's holder touches it each second; one that was not touched for so long has died. */
const lockStaleAfterMs = 15_000

/** The clone's. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const local = join(root, '.local')
const tools = join(local, 'tools')
const nodeDir = join(tools, 'node')
const pnpmEntry = join(tools, 'pnpm', 'node_modules', 'pnpm', 'bin', 'pnpm.mjs')
const stampPath = join(local, 'dependencies.stamp')
const lockPath = join(local, 'setup.lock')

/** What stands in the way, for people: its message is all that is shown. */
export class Problem extends Error {}

let tellOfChild = () => {}

function isComplete() {
  return nodePath() !== undefined && dependenciesAreInstalled()
}

/** The Node to run with: this one if it is new enough, else the one in .local/, if the right one is there. */
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

/** Changes whenever what must be installed does, or the folder or the platform is another. */
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
 * Fetches what is missing; `onChild` is told of each program that works on it, and of its end by undefined.
 * @throws Problem
 */
export async function completeToolchain(onChild) {
  if (isComplete()) return
  tellOfChild = onChild
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

/** The version of the package in this folder; undefined where there is none. */
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
  // Without a terminal pnpm would refuse to replace a node_modules that something else had made.
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
 * Into a folder beside, renamed when all is there: what was broken off is never taken for a tool. Fails where a package is not
 * the one that was pinned (EINTEGRITY).
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

/** Runs to the end and keeps what was written, to be shown only if it fails. */
async function capture(command, args, cwd = root) {
  const child = spawn(command, args, { cwd, env: toolEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] })
  tellOfChild(child)
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
    tellOfChild(undefined)
  }
}

/**
 * `npm start` hands its whole configuration down by variables, and so would decide what our own calls of npm and pnpm do
 * (`npm_config_prefix`, `npm_config_ignore_scripts` …). Only what says how to reach the registry is kept. A home that
 * can't be written to, or is none, is replaced by one in .local/.
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

/** Two commands in the same clone must not install at once: the second waits, and then finds everything there. */
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

/** Another process may have done the same since we looked, and hold it now: then it is put back. */
function setAside() {
  const aside = `${lockPath}.${process.pid}`
  try {
    renameSync(lockPath, aside)
    if (isStale(aside)) rmSync(aside, { recursive: true, force: true })
    else renameSync(aside, lockPath)
  } catch {
    // It is gone: the next attempt tells.
  }
}

function checkDiskSpace() {
  const { bavail, bsize } = statfsSync(root)
  const free = bavail * bsize
  if (free >= neededBytes) return
  const [has, needs] = [free, neededBytes].map((bytes) => `${Math.round(bytes / 1024 ** 2)} MB`)
  throw new Problem(`The disk of ${root} has ${has} free; to install the dependencies ${needs} are needed.`)
}

/** The problem with the end of the tool's output and, where it can be told, what to do. */
function failed(what, { output }, advice = '') {
  const tail = output
    .trimEnd()
    .split('\n')
    .slice(-15)
    .map((line) => `    ${line}`)
  return new Problem(
    [`${what}. The end of what was said:`, ...tail, adviceFor(output) ?? advice].filter(Boolean).join('\n'),
  )
}

function adviceFor(output) {
  if (/EINTEGRITY/.test(output)) {
    return 'What the registry sent is not what this version of Clicktally was made with (scripts/pinned-tools.mjs). Do not go on: find out what stands between here and the registry.'
  }
  if (/ENOSPC|no space left/i.test(output)) return 'No space is left on the disk: free some and start again.'
  if (/EACCES|EPERM|EROFS/.test(output))
    return 'Something here belongs to another user: was this folder used as root before?'
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH|UND_ERR|fetch failed/i.test(output)) {
    return 'The npm registry was not reachable: check the network (and the proxy settings), then start again.'
  }
  return undefined
}

function ended(running) {
  return new Promise((settle, reject) => {
    running.once('error', reject)
    running.once('close', (code, signal) => settle({ code, signal }))
  })
}
