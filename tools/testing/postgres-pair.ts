import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type RunningPostgres, startPostgres } from '@clicktally/local/servers/postgres.ts'
import { migrate } from '@clicktally/migrations/migrate.ts'
import { loginRoles } from '@clicktally/system/accounts.ts'
import type { DatabaseAccount } from '@clicktally/system/parts.ts'
import { Client } from 'pg'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { rolePassword } from './test-database.ts'

/** A primary, and a standby that streams from it: asynchronous, until synchronize(). Both have the tables. */
export interface PostgresPair {
  readonly primary: PairServer
  readonly standby: PairServer
  /** A URL with both hosts. */
  urlAs(account: 'owner' | DatabaseAccount): string
  /** Makes commits wait for the standby. */
  synchronize(): Promise<void>
  /** Cuts the standby off from the primary: it receives nothing more. */
  disconnect(): Promise<void>
  /** Makes the standby a primary. */
  promote(): Promise<void>
}

export interface PairServer {
  readonly host: string
  urlAs(account: 'owner' | DatabaseAccount): string
  /** As the owner, who is a superuser. */
  query(statement: string): Promise<void>
  /** Kills the server, which stays down. */
  kill(): Promise<void>
}

/** Starts both servers, which takes a few seconds, and stops them after the test. */
export async function createPostgresPair(): Promise<PostgresPair> {
  const dir = await makeScratchFolder('pair')
  const password = randomBytes(12).toString('hex')
  const [primaryDir, standbyDir] = [join(dir, 'primary'), join(dir, 'standby')]
  const running: RunningPostgres[] = []
  onTestFinished(async () => {
    for (const { stop } of running.toReversed()) await stop()
    await rm(dir, { recursive: true, force: true })
  })
  const start = async (folder: string, port?: number) => {
    const server = await startPostgres({ dir: folder, password, ...(port !== undefined && { port }) })
    running.push(server)
    return server
  }
  const first = await start(primaryDir)
  await migrate(first.url, () => rolePassword, pino({ level: 'silent' }))
  // A copy of a stopped server is a base backup. The npm package has no pg_basebackup.
  await first.stop()
  running.length = 0
  // With `cp`, because it keeps the owner, which is another user if root runs the test.
  await promisify(execFile)('cp', ['-a', primaryDir, standbyDir])
  const primary = await start(primaryDir, first.port)
  const { username } = new URL(first.url)
  const source = `host=127.0.0.1 port=${first.port} user=${username} password=${password} application_name=standby`
  await appendFile(join(standbyDir, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`)
  await writeFile(join(standbyDir, 'standby.signal'), '')
  const standby = await start(standbyDir)
  const servers = [serverOf(primary), serverOf(standby)] as const
  const [primaryServer, standbyServer] = servers
  return {
    primary: primaryServer,
    standby: standbyServer,
    urlAs: (account) =>
      primaryServer.urlAs(account).replace(primaryServer.host, servers.map(({ host }) => host).join(',')),
    async synchronize() {
      await primaryServer.query(`alter system set synchronous_standby_names = 'standby'`)
      await primaryServer.query('select pg_reload_conf()')
    },
    async disconnect() {
      await standbyServer.query(`alter system set primary_conninfo = ''`)
      await standbyServer.query('select pg_reload_conf()')
    },
    promote: () => standbyServer.query('select pg_promote()'),
  }
}

function serverOf({ url, port, server }: RunningPostgres): PairServer {
  return {
    host: `127.0.0.1:${port}`,
    urlAs(account) {
      if (account === 'owner') return url
      const role = loginRoles.find((each) => each.account === account)?.role ?? ''
      return Object.assign(new URL(url), { username: role, password: rolePassword }).href
    },
    async query(statement) {
      const client = new Client({ connectionString: url })
      await client.connect()
      await client.query(statement).finally(() => client.end())
    },
    async kill() {
      server.kill()
      await server.stop()
    },
  }
}
