// node scripts/run.mjs <entry> [arguments…]
//
// Runs a program of this clone with Node 24 and with all dependencies there, on a machine that has only Node 20 or later
// and npm. What is missing is fetched first (toolchain.mjs); a start that finds everything in place costs one look at the
// lockfile. Plain JavaScript without a dependency: it is what runs before there is any.

import { spawn } from 'node:child_process'
import { delimiter, dirname, resolve } from 'node:path'
import { completeToolchain, nodePath, Problem, root } from './toolchain.mjs'

const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }

/** The child that runs now, for the signals that come meanwhile. */
let child
/** The signal that ends all this, once one has come. */
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

/** Ctrl-C reaches the child by itself, as everything at the terminal; other signals are for this process alone. */
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
    // Whoever called gets to know how it ended, as if it had called the program itself.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
  process.exitCode = code ?? 1
}

/**
 * npm hands SIGTERM to the shell that it starts its scripts with, and that shell may die of it without a word to us. So
 * under npm the death of our parent counts as the signal.
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
