import { appendFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cloneDir, localDir } from '../files/local-folder.ts'
import { Problem } from '../problem.ts'
import { lastLines, runCommand } from '../processes/run-command.ts'
import type { Program } from '../processes/supervised-program.ts'
import type { UnprivilegedUser } from '../processes/unprivileged-user.ts'
import { childEnvironment } from './child-environment.ts'

export interface NodeService {
  name: string
  /** From the clone's root. */
  entry: string
  /** Where it serves /readyz; none for a service that does not listen. */
  port?: number | undefined
  variables: Record<string, string>
  /** Names of variables that it gets from the launcher's environment. */
  settings?: readonly string[]
  logPath: string
  user: UnprivilegedUser
  /** A command and its first arguments, which run the service's command line. */
  through?: string[]
  longestWaitMs?: number
}

/**
 * The same as in the Dockerfile. By default Node lets the heap of a service that allocates much and keeps little grow past 350 MB
 * before it collects garbage; with these flags it stays at half of that.
 */
const nodeFlags = ['--max-semi-space-size=16', '--max-old-space-size=384']
/** glibc: two arenas instead of one for each thread, because arenas rarely return memory. */
const allocation = { MALLOC_ARENA_MAX: '2' }

/**
 * Node's compile cache of our sources, types stripped. Without a hit a service loads the type stripper: a third of the CPU of a
 * start, and 10 to 20 MB for the life of the process. A service writes the cache when it ends, if it is allowed to.
 */
const compileCacheDir = join(localDir, 'compile-cache')

function compileCache(user: UnprivilegedUser): Record<string, string> {
  if (mkdirSync(compileCacheDir, { recursive: true }) !== undefined) user.own(compileCacheDir)
  return { NODE_COMPILE_CACHE: compileCacheDir }
}

/** One of our services, on 127.0.0.1. It is ready when `/readyz` answers 200, or, if it does not listen, when it runs. */
export function nodeService({
  name,
  entry,
  port,
  variables,
  settings,
  logPath,
  user,
  ...options
}: NodeService): Program {
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
        ...(port !== undefined && { HOST: '127.0.0.1', PORT: String(port) }),
      },
      settings,
    ),
    logPath,
    stopSignal: 'SIGTERM',
    // A processor takes up to 15 s to write what it holds, the others up to 10 s to answer their requests.
    stopWithinMs: 20_000,
    // A limit for a hang: a start takes a second on an idle machine, but all services start at once on one that may be busy.
    readyWithinMs: 120_000,
    isReady: async () => port === undefined || (await saysReady(port)),
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
 * Runs a program of ours to its end.
 * @throws Problem with the last lines of its output when it fails.
 */
export async function runToItsEnd(
  { name, entry, variables, settings, logPath, user }: Omit<NodeService, 'port' | 'through' | 'longestWaitMs'>,
  signal?: AbortSignal,
): Promise<void> {
  const { command, args } = user.commandLine(process.execPath, [entry])
  const env = childEnvironment({ ...compileCache(user), ...variables }, settings)
  const { code, output } = await runCommand(command, args, { cwd: cloneDir, env, withinMs: 120_000, signal })
  mkdirSync(dirname(logPath), { recursive: true })
  appendFileSync(logPath, output)
  if (code !== 0) throw new Problem(`${name} ended with code ${code}. The end of ${logPath}:\n${lastLines(output)}`)
}
