import { existsSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readBackupManifest } from '@clicktally/backup/backup-manifest.ts'
import { backUpDatabase } from '@clicktally/backup/database-backup.ts'
import { verifyBackup } from '@clicktally/backup/database-restore.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { createJanitorBench, oldClick } from '@clicktally/janitor/test/janitor-under-test.ts'
import { openBackup } from '@clicktally/local/backup.ts'
import { Client } from 'pg'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../config.ts'
import { runProgram } from '../program.ts'
import { startCli } from './cli-under-test.ts'

async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'clicktally-backup-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  // Dropping the database ends it, if the test fails.
  client.on('error', () => {})
  await client.connect()
  return client
}

/** A database with clicks of 45 days ago and of today, and a pool of its owner. */
async function createDatabase() {
  const bench = await createJanitorBench()
  await bench.count(oldClick(45, { visitorId: 'ann' }), oldClick(45), oldClick(0))
  await bench.pack()
  const { ownerUrl } = bench.urls
  const limits = { name: 'backup', logger: pino({ level: 'silent' }), maxConnections: 1, statementTimeoutMs: 60_000 }
  const pool = createPool({ ...limits, url: ownerUrl })
  onTestFinished(() => pool.end())
  const [partition = ''] = await bench.partitions()
  return { ...bench, pool, partition, folder: join(await scratchFolder(), 'backup') }
}

/** The command, which is interrupted when it says how many rows a table has. */
async function runBackup(folder: string, url: string, secretsDir: string, isInterrupted = false) {
  const interruption = new AbortController()
  let [stdout, stderr] = ['', '']
  const code = await runProgram({
    config: readConfig({ CLICKTALLY_OWNER_DATABASE_URL: url, CLICKTALLY_SECRETS_DIR: secretsDir }),
    args: ['backup', folder, '--json'],
    print: (line) => {
      stdout += line
    },
    printed: async () => {},
    notices: {
      line: (text) => {
        stderr += text
        if (isInterrupted) interruption.abort('SIGINT')
      },
    },
    ask: undefined,
    takeInterruption: () => interruption.signal,
    exitCode: 0,
  })
  return { code, stdout, stderr }
}

test('no partition is dropped while it waits to be copied', async () => {
  const { pool, partition, folder, urls } = await createDatabase()
  const other = await connect(urls.ownerUrl)
  const refused: unknown[] = []
  const { tables } = await backUpDatabase(pool, folder, {
    async onStep(step) {
      if (step !== 'first table written') return
      const dropped = other.query(`set lock_timeout = '100ms'; drop table ${partition}`)
      refused.push(
        await dropped.then(
          () => undefined,
          (error) => error.code,
        ),
      )
    },
  })
  await other.end()
  expect(refused).toEqual(['55P03'])
  expect(tables.find(({ name }) => name === partition)).toMatchObject({ rows: 2 })
})

test('a partition that is dropped while it is listed is not in the backup', async () => {
  const { ask, pool, partition, folder, urls } = await createDatabase()
  const other = await connect(urls.ownerUrl)
  await other.query(`begin; drop table ${partition}`)
  const backup = backUpDatabase(pool, folder)
  await expect
    .poll(async () => await ask(`select from pg_locks where not granted and relation = '${partition}'::regclass`))
    .toHaveLength(1)
  await other.query('commit')
  await other.end()
  const { tables, partitions } = await backup
  expect(tables.map(({ name }) => name)).not.toContain(partition)
  expect(partitions.map(({ name }) => name)).not.toContain(partition)
})

test('partitions of a restored database have the privileges and the settings that they had', async () => {
  const { ask, pool, partition, folder, urls } = await createDatabase()
  await ask(`alter table ${partition} set (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0)`)
  await ask('select close_raw_clicks(1, $1)', [partition])
  await backUpDatabase(pool, folder)
  const name = `${new URL(urls.ownerUrl).pathname.slice(1)}_restored`
  await ask(`create database ${name}`)
  onTestFinished(async () => void (await ask(`drop database if exists ${name} with (force)`)))
  const url = new URL(urls.ownerUrl)
  url.pathname = `/${name}`
  const system = await scratchFolder()
  await (await openBackup(folder, system)).restoreTo(url.href, () => {})
  const described = async (databaseUrl: string) => {
    const client = await connect(databaseUrl)
    const { rows } = await client.query(
      `select relname, relacl::text[], reloptions,
         array(select tgname::text from pg_trigger where tgrelid = pg_class.oid order by 1) as triggers
       from pg_inherits join pg_class on pg_class.oid = inhrelid where inhparent = 'clicks'::regclass order by 1`,
    )
    await client.end()
    return rows
  }
  const before = await described(urls.ownerUrl)
  expect(before).toContainEqual({
    relname: partition,
    relacl: expect.arrayContaining([expect.stringContaining('clicktally_janitor=m/')]),
    reloptions: ['autovacuum_vacuum_threshold=0', 'autovacuum_vacuum_scale_factor=0'],
    triggers: ['before_horizon'],
  })
  expect(await described(url.href)).toEqual(before)
})

test('secrets are copied with their permissions, and a copy that has changed is noticed', async () => {
  const { folder, urls } = await createDatabase()
  const secrets = await scratchFolder()
  await mkdir(join(secrets, 'ingest'))
  await writeFile(join(secrets, 'ingest/key'), 'secret key', { mode: 0o400 })
  await writeFile(join(secrets, 'password'), 'secret password', { mode: 0o640 })
  await symlink('password', join(secrets, 'link'))
  const { code, stdout } = await runBackup(folder, urls.ownerUrl, secrets)
  expect(code).toBe(0)
  const manifest = await readBackupManifest(folder)
  const files = manifest.secrets?.map(({ file }) => file) ?? []
  expect(files).toEqual(['secrets/ingest/key', 'secrets/link', 'secrets/password'])
  for (const { sha256 } of manifest.secrets ?? []) expect(stdout).not.toContain(sha256)
  const texts = files.map((file) => readFile(join(folder, file), 'utf8'))
  expect(await Promise.all(texts)).toEqual(['secret key', 'secret password', 'secret password'])
  const modes = files.map(async (file) => (await stat(join(folder, file))).mode & 0o777)
  expect(await Promise.all(modes)).toEqual([0o400, 0o640, 0o640])

  await verifyBackup(folder, manifest)
  const { secrets: _, ...earlier } = manifest
  await appendFile(join(folder, 'secrets/password'), ' ')
  await expect(openBackup(folder, await scratchFolder())).rejects.toThrow(
    'secrets/password does not have the SHA-256 of the manifest',
  )
  await verifyBackup(folder, earlier)
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ ...earlier, secrets: [{ file: 'secrets/../../a' }] }))
  await expect(readBackupManifest(folder)).rejects.toThrow('does not describe a backup')
})

test('an interrupted backup leaves nothing behind', async () => {
  const { ask, pool, folder, urls } = await createDatabase()
  const secrets = await scratchFolder()
  await writeFile(join(secrets, 'password'), 'secret')
  expect(await runBackup(folder, urls.ownerUrl, secrets, true)).toMatchObject({
    code: 130,
    stderr: expect.stringContaining('Interrupted'),
  })
  expect(await readdir(join(folder, '..'))).toEqual([])

  // In the middle of a table, unless that is written faster than its file is seen.
  await ask(
    `insert into audit_log (at, actor, actor_name, action, subject)
     select now(), 'a', 'a', 'a', md5(n::text) from generate_series(1, 500000) n`,
  )
  const interruption = new AbortController()
  const backup = backUpDatabase(pool, folder, { signal: interruption.signal }).catch((error: unknown) => error)
  const file = join(`${folder}.partial`, 'tables/audit_log.copy.gz')
  await expect.poll(() => existsSync(file), { interval: 1 }).toBe(true)
  interruption.abort()
  expect(await backup).toMatchObject({ name: 'AbortError' })
  expect(await readdir(join(folder, '..'))).toEqual([])
})

test.for(['SIGINT', 'SIGTERM'] as const)('the command removes what it has written when %s ends it', async (signal) => {
  const { folder, urls } = await createDatabase()
  const other = await connect(urls.ownerUrl)
  // The command waits for it.
  await other.query('begin; lock table audit_log in access exclusive mode')
  const started = startCli(['backup', folder], { PATH: process.env.PATH, CLICKTALLY_OWNER_DATABASE_URL: urls.ownerUrl })
  await expect.poll(() => existsSync(`${folder}.partial`)).toBe(true)
  started.process.kill(signal)
  expect(await started.ended).toMatchObject({ code: 130, stdout: '' })
  await other.end()
  expect(await readdir(join(folder, '..'))).toEqual([])
})

test('a folder that exists is wrong usage, and one that cannot be made is not an error of the database', async () => {
  const folder = await scratchFolder()
  const { code, stderr } = await runBackup(folder, 'postgres://nowhere.invalid/none', folder)
  expect([code, stderr]).toEqual([2, `${folder} exists already: a backup is a folder of its own.`])
  await writeFile(join(folder, 'file'), '')
  const failed = await runBackup(join(folder, 'file/backup'), 'postgres://nowhere.invalid/none', folder)
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringMatching(/^There is no backup: ENOTDIR.*\.$/)])
})
