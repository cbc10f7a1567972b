import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { childEnvironment } from '../services/child-environment.ts'

/**
 * A process id together with the start time of the process. An id alone is reused sooner or later (in a container, after the first
 * restart); the pair never is.
 */
export interface ProcessIdentity {
  pid: number
  startedAt: string
}

/** The identity of the process with this id; undefined if there is none, or only a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === 'linux' ? startOnLinux(pid) : startByPs(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

/** Whether exactly this process is alive. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startedAt === identity.startedAt
}

/** These go to a program's whole process group. Any other goes to the program, which tells its children itself. */
const forTheGroup = new Set<NodeJS.Signals>(['SIGKILL', 'SIGSTOP', 'SIGCONT'])

/**
 * Sends the signal to the process, if it still exists. Each of our programs leads a process group; kill, pause and resume reach the
 * whole group. Other signals do not, because RabbitMQ aborts when one of its children is terminated.
 */
export function sendSignal(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return
  if (!forTheGroup.has(signal) || !sendTo(-identity.pid, signal)) sendTo(identity.pid, signal)
}

/** Kills what is left of the group of a program that has ended, such as nginx's workers, which hold its port. */
export function killRestOfGroup(identity: ProcessIdentity): void {
  sendTo(-identity.pid, 'SIGKILL')
}

function sendTo(target: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(target, signal)
    return true
  } catch {
    return false
  }
}

/** Waits until the process is gone; false if it is still alive after that time. */
export async function waitUntilGone(identity: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false
    await sleep(50)
  }
  return true
}

function startOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program's name, in parentheses, may contain spaces and parentheses: count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, ticksSinceBoot] = [fields[0], fields[19]]
    if (state === 'Z' || state === 'X') return undefined
    return `${bootId()}/${ticksSinceBoot}`
  } catch {
    return undefined
  }
}

let knownBootId: string | undefined
function bootId(): string {
  knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return knownBootId
}

function startByPs(pid: number): string | undefined {
  try {
    const output = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: childEnvironment({ LC_ALL: 'C' }),
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    const [state = 'Z', ...start] = output.split(/\s+/)
    return state.startsWith('Z') ? undefined : start.join(' ')
  } catch {
    return undefined
  }
}
