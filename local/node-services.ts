import { appendFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { childEnvironment, serviceSettings } from './child-environment.ts'
import { cloneDir, localDir } from './local-folder.ts'
import { Problem } from './problem.ts'
import { lastLines, runCommand } from './run-command.ts'
import type { Program } from './supervised-program.ts'
import type { UnprivilegedUser } from './unprivileged-user.ts'

export interface NodeService {
  name: string
  /** From the clone's root. */
  entry: string
  port: number
  variables: Record<string, string>
  logPath: string
  user: UnprivilegedUser
  /** A command, and its first arguments, that runs the command line that follows. */
  through?: string[]
  longestWaitMs?: number
}

/**
 * As the images start them (Dockerfile). By default Node lets a service that makes much and keeps little grow past 350 MB before
 * it looks what it may use again; with these it stays at half of that.
 */
const nodeFlags = ['--max-semi-space-size=16', '--max-old-space-size=384']
/** Of glibc: two places to take memory from, in place of one for each thread, none of which gives any back. */
const allocation = { MALLOC_ARENA_MAX: '2' }

/**
 * Where Node keeps what it has made of our sources, types stripped. Who finds nothing there loads what strips them: a third of
 * the CPU of a start, and 10 to 20 MB that are not given back. A service writes there when it ends; where it may not, it does without.
 */
const compileCacheDir = join(localDir, 'compile-cache')

function compileCache(user: UnprivilegedUser): Record<string, string> {
  if (mkdirSync(compileCacheDir, { recursive: true }) !== undefined) user.own(compileCacheDir)
  return { NODE_COMPILE_CACHE: compileCacheDir }
}

/** One of our services, on 127.0.0.1 and ready when its `/readyz` says so. */
export function nodeService({ name, entry, port, variables, logPath, user, ...options }: NodeService): Program {
  const { through = [], longestWaitMs } = options
  const own = user.commandLine(process.execPath, [...nodeFlags, entry])
  const [command, ...args] = [...through, own.command, ...own.args] as [string, ...string[]]
  return {
    name,
    command,
    args,
    ...(longestWaitMs !== undefined && { longestWaitMs }),
    cwd: cloneDir,
    env: childEnvironment(
      {
        ...allocation,
        ...compileCache(user),
        ...variables,
        HOST: '127.0.0.1',
        PORT: String(port),
      },
      serviceSettings,
    ),
    logPath,
    stopSignal: 'SIGTERM',
    // A processor takes up to 15 s to write what it holds; the others up to 10 s to answer what they have.
    stopWithinMs: 20_000,
    // For what hangs: a second on a quiet machine, but all services start at once, and others may be busy beside them.
    readyWithinMs: 120_000,
    isReady: () => saysReady(port),
  }
}

async function saysReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/readyz`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(2_000),
    })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

/**
 * Runs a program of ours that comes to an end, and waits for it.
 * @throws Problem with the end of its output when it fails.
 */
export async function runToItsEnd(
  { name, entry, variables, logPath, user }: Omit<NodeService, 'port' | 'through' | 'longestWaitMs'>,
  signal?: AbortSignal,
): Promise<void> {
  const { command, args } = user.commandLine(process.execPath, [entry])
  const env = childEnvironment({ ...compileCache(user), ...variables }, serviceSettings)
  const { code, output } = await runCommand(command, args, { cwd: cloneDir, env, withinMs: 120_000, signal })
  mkdirSync(dirname(logPath), { recursive: true })
  appendFileSync(logPath, output)
  if (code !== 0) throw new Problem(`${name} ended with code ${code}. The end of ${logPath}:\n${lastLines(output)}`)
}
