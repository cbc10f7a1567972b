import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { localDir } from '@clicktally/local/files/local-folder.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { findPgbouncer } from '@clicktally/local/installation/pgbouncer-installation.ts'
import { freePort, portProblem } from '@clicktally/local/ports.ts'
import { SupervisedProgram } from '@clicktally/local/processes/supervised-program.ts'
import { unprivilegedUser } from '@clicktally/local/processes/unprivileged-user.ts'
import { childEnvironment } from '@clicktally/local/services/child-environment.ts'
import { onTestFinished } from 'vitest'

/**
 * Starts a PgBouncer in front of a database, in transaction mode and otherwise with its defaults, and stops it after the test.
 *
 * @param urls of the database, one for each role, with passwords
 * @param connections to the server for each role, however many clients there are
 * @returns the same URLs, through PgBouncer
 */
export async function startPgbouncer(urls: readonly string[], connections: number): Promise<string[]> {
  const { pgbouncer, env, folder } = await findPgbouncer({ toolsDir: localDir, onLine: () => {} })
  const dir = await makeScratchFolder('pgbouncer')
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const user = await unprivilegedUser({ folders: [dir, ...(folder ? [folder] : [])], programs: [pgbouncer] })
  const port = await freePort()
  const roles = urls.map((url) => new URL(url))
  const [{ hostname, port: serverPort, pathname } = new URL('postgres://')] = roles
  const paths = { settings: join(dir, 'pgbouncer.ini'), users: join(dir, 'users.txt') }
  const settings = `[databases]
${pathname.slice(1)} = host=${hostname} port=${serverPort}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${paths.users}
pool_mode = transaction
default_pool_size = ${connections}
`
  await writeFile(paths.settings, settings)
  const users = roles.map(({ username, password }) => `"${username}" "${decodeURIComponent(password)}"\n`)
  await writeFile(paths.users, users.join(''), { mode: 0o600 })
  user.own(paths.users)
  const program = new SupervisedProgram(
    {
      name: 'pgbouncer',
      ...user.commandLine(pgbouncer, [paths.settings]),
      ...{ cwd: dir, env: childEnvironment(env), logPath: join(dir, 'pgbouncer.log') },
      // Closes all connections at once.
      ...{ stopSignal: 'SIGTERM', stopWithinMs: 5_000, readyWithinMs: 20_000 },
      isReady: async () => (await portProblem(port)) === 'EADDRINUSE',
    },
    { onLine: () => {} },
  )
  await program.start()
  onTestFinished(() => program.stop())
  return roles.map((role) => {
    const through = Object.assign(new URL(role), { hostname: '127.0.0.1', port: String(port) })
    through.searchParams.set('pooling', 'transaction')
    return through.href
  })
}
