import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { hasDebianPackages, unpackedPackage } from '@clicktally/local/installation/debian-packages.ts'
import { howToInstall, unpackedLibraries } from '@clicktally/local/installation/installation-advice.ts'
import { findPrograms } from '@clicktally/local/installation/program-search.ts'
import { firstAnswer, freePort } from '@clicktally/local/ports.ts'
import { Problem } from '@clicktally/local/problem.ts'
import { runCommand } from '@clicktally/local/processes/run-command.ts'
import { SupervisedProgram } from '@clicktally/local/processes/supervised-program.ts'
import { unprivilegedUser } from '@clicktally/local/processes/unprivileged-user.ts'
import { childEnvironment } from '@clicktally/local/services/child-environment.ts'

/** The Redis of the design that uses one. */
export interface RunningRedis {
  readonly url: string
  readonly version: string
  readonly server: SupervisedProgram
}

/**
 * Starts Redis from PATH, or else, on Debian and Ubuntu, from the distribution's unpacked package. It syncs its append-only file
 * to disk once a second, as is common for counters.
 *
 * @throws Problem that says what to install
 */
export async function startRedis(dir: string, signal: AbortSignal): Promise<RunningRedis> {
  const { binary, env, folder } = await findRedis(signal)
  mkdirSync(dir, { recursive: true })
  const user = await unprivilegedUser({ folders: [dirname(dir), folder], programs: [binary] })
  user.own(dir)
  const port = await freePort()
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--daemonize', 'no']
  const persistence = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '']
  const server = new SupervisedProgram(
    {
      name: 'redis',
      ...user.commandLine(binary, [...settings, ...persistence]),
      cwd: dir,
      env: childEnvironment(env),
      logPath: join(dirname(dir), 'redis.log'),
      stopSignal: 'SIGTERM',
      stopWithinMs: 10_000,
      readyWithinMs: 15_000,
      isReady: async () =>
        (await firstAnswer(port, Buffer.from('PING\r\n'), 1_000))?.toString().startsWith('+PONG') === true,
    },
    { onLine: () => {} },
  )
  await server.start(signal)
  const { output } = await runCommand(binary, ['--version'], { env: childEnvironment(env), withinMs: 10_000 })
  return { url: `redis://127.0.0.1:${port}`, version: /v=(\S+)/.exec(output)?.[1] ?? 'unknown', server }
}

async function findRedis(signal: AbortSignal) {
  const [found] = findPrograms('redis-server')
  if (found !== undefined) return { binary: found, env: {}, folder: dirname(found) }
  if (!hasDebianPackages()) throw new Problem(howToInstall('Redis', 'redis'))
  const dir = join(localDir, 'debian')
  const root = await unpackedPackage({ package: 'redis-server', dir, onLine: () => {}, signal })
  return { binary: join(root, 'usr/bin/redis-server'), env: unpackedLibraries(root), folder: root }
}
