// node scripts/run.mjs <entry> [arguments…]
//
// Runs a program of this clone with Node 24 and all dependencies, on a machine that has only Node 20 or later and npm. What is
// missing is fetched first (toolchain.mjs); otherwise a start only hashes the lockfile and manifests. This is plain JavaScript
// without dependencies, because it runs before they are installed.

import { spawn } from 'node:child_process'
import { delimiter, dirname, resolve } from 'node:path'
import { completeToolchain, nodePath, Problem, root } from './toolchain.mjs'

const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

/** The running child, which signals are forwarded to. */
let child
/** The signal that ended this, if any. */
let endedBy

try {
  const [entry, ...args] = process.argv.slice(2)
  if (!entry) throw new Problem('usage: node scripts/run.mjs <entry> [arguments…]')
  for (const signal of Object.keys(exitCodes)) process.on(signal, onSignal)
  await completeToolchain((installing) => {
    child = installing
  })
  await run(nodePath(), [resolve(root, entry), ...args])
} catch (error) {
  if (!(error instanceof Problem)) throw error
  if (endedBy) process.exit(exitCodes[endedBy])
  console.error(`\n${error.message}`)
  process.exitCode = 1
}

/** Ctrl-C at the terminal reaches the child directly. Other signals reach only this process, and are forwarded. */
function onSignal(signal) {
  endedBy = signal
  if (!child) process.exit(exitCodes[signal])
  if (signal === 'SIGINT' && process.stdin.isTTY) return
  child.kill(signal)
}

async function run(command, args) {
  const environment = { ...process.env, PATH: [dirname(command), process.env.PATH].filter(Boolean).join(delimiter) }
  child = spawn(command, args, { cwd: root, stdio: 'inherit', env: environment })
  const stopWatching = watchParent()
  const { code, signal } = await ended(child)
  stopWatching()
  if (signal) {
    // The caller sees the same end as if it had run the program itself.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
  process.exitCode = code ?? 1
}

/**
 * npm sends SIGTERM to the shell that runs its scripts, and that shell may die without forwarding it. So under npm the death of our
 * parent counts as the signal.
 */
function watchParent() {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.env.npm_lifecycle_event && process.ppid !== parent) {
      clearInterval(timer)
      child?.kill('SIGTERM')
    }
  }, 500)
  return () => clearInterval(timer)
}

function ended(running) {
  return new Promise((settle, reject) => {
    running.once('error', reject)
    running.once('close', (code, signal) => settle({ code, signal }))
  })
}
