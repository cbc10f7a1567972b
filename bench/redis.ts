import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { childEnvironment } from '@clicktally/local/child-environment.ts'
import { hasDebianPackages, unpackedPackage } from '@clicktally/local/debian-packages.ts'
import { howToInstall, unpackedLibraries } from '@clicktally/local/installation-advice.ts'
import { localDir } from '@clicktally/local/local-folder.ts'
import { firstAnswer, freePort } from '@clicktally/local/ports.ts'
import { Problem } from '@clicktally/local/problem.ts'
import { findPrograms } from '@clicktally/local/program-search.ts'
import { runCommand } from '@clicktally/local/run-command.ts'
import { SupervisedProgram } from '@clicktally/local/supervised-program.ts'
import { unprivilegedUser } from '@clicktally/local/unprivileged-user.ts'

/** A Redis for one of those that are compared. */
export interface RunningRedis {
  readonly url: string
  readonly version: string
  readonly server: SupervisedProgram
}

/**
 * Starts the Redis from PATH, or else, on Debian and Ubuntu, the distribution's, unpacked. Like most that count in it, it
 * appends to a file that is brought to the disk once a second.
 *
 * @throws Problem that says what to install
 */
export async function startRedis(dir: string, signal: AbortSignal): Promise<RunningRedis> {
  const { binary, env, folder } = await findRedis(signal)
  mkdirSync(dir, { recursive: true })
  const user = await unprivilegedUser({ folders: [dirname(dir), folder], programs: [binary] })
  user.own(dir)
  const port = await freePort()
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    daemonize: 'no',
  }
  const server = new SupervisedProgram(
    {
      name: 'redis',
      ...user.commandLine(
        binary,
        Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      ),
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
