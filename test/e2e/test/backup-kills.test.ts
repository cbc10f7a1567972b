import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { readBackupManifest } from '@clicktally/backup/backup-manifest.ts'
import { backUpDatabase, backupSteps } from '@clicktally/backup/database-backup.ts'
import { restoreSteps, verifyBackup } from '@clicktally/backup/database-restore.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { createJanitorBench, oldClick, otherProject } from '@clicktally/janitor/test/janitor-under-test.ts'
import { openBackup } from '@clicktally/local/backup.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { startSystem } from '@clicktally/local/system.ts'
import { pino } from 'pino'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { runToEnd } from '../kill-after.ts'

const programs = join(import.meta.dirname, '..')
let dir: string
let secrets: string

beforeEach(async () => {
  dir = await makeScratchFolder('killed')
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  secrets = join(dir, 'original-secrets')
  await mkdir(secrets)
  for (const name of ['one', 'two', 'three']) await writeFile(join(secrets, name), `secret ${name}`)
})

/** A database with clicks, counters, an archive, and a partition that is closed for the clicks of a project. @returns its URL */
async function createDatabase(): Promise<string> {
  const bench = await createJanitorBench()
  const ages = [0, 1, 45, 90].flatMap((days) => [days, days])
  await bench.count(
    ...ages.map((days) => oldClick(days, { visitorId: `visitor ${days}` })),
    oldClick(45, { projectId: otherProject }),
  )
  await bench.pack()
  await bench.janitor().run()
  return bench.urls.ownerUrl
}

/** The manifest but for what a new backup may change, and the rows of each table. */
async function contentOf(backup: string) {
  const { takenAt: _, tables, ...manifest } = await readBackupManifest(backup)
  const contents = tables.map(async ({ sha256: _, ...table }) => {
    return { ...table, content: gunzipSync(await readFile(join(backup, table.file))).toString('latin1') }
  })
  return { ...manifest, tables: await Promise.all(contents) }
}

async function secretsIn(folder: string): Promise<[name: string, text: string][]> {
  const names = (await readdir(folder)).sort()
  return await Promise.all(
    names.map(async (name): Promise<[string, string]> => [name, await readFile(join(folder, name), 'utf8')]),
  )
}

describe('a backup that is killed', () => {
  test.for(backupSteps)('after the step "%s" is none or complete, and the next one is complete', async (step) => {
    const databaseUrl = await createDatabase()
    const folder = join(dir, 'backup')
    const variables = { DATABASE_URL: databaseUrl, BACKUP: folder, SECRETS: secrets }
    const program = join(programs, 'killed-backup.ts')
    expect(await runToEnd(program, { ...variables, KILL_AFTER: step })).toBe('SIGKILL')
    expect(existsSync(`${folder}.partial`)).toBe(step !== 'complete')
    expect(existsSync(folder)).toBe(step === 'complete')
    if (step !== 'complete') {
      await expect(openBackup(folder, join(dir, 'system'))).rejects.toThrow('has no complete backup')
      expect(await runToEnd(program, variables)).toBe(0)
    }
    await verifyBackup(folder, await readBackupManifest(folder))
    expect(await secretsIn(join(folder, 'secrets'))).toEqual(await secretsIn(secrets))
    expect((await readdir(dir)).sort()).toEqual(['backup', 'original-secrets'])
    const { tables, partitions } = await contentOf(folder)
    expect(tables.filter(({ name }) => name.startsWith('clicks_')).reduce((sum, { rows }) => sum + rows, 0)).toBe(5)
    expect(partitions.filter(({ isClosed }) => isClosed)).toHaveLength(1)
  })
})

describe('a restore that is killed', () => {
  test.for(['begun', 'server started', ...restoreSteps])(
    'after the step "%s" is not taken for a system, and is repeated as a whole',
    async (step) => {
      const folder = join(dir, 'backup')
      const pool = createPool({
        ...{ url: await createDatabase(), name: 'backup', logger: pino({ level: 'silent' }) },
        ...{ maxConnections: 1, statementTimeoutMs: 60_000 },
      })
      await backUpDatabase(pool, folder).finally(() => pool.end())
      const system = join(dir, 'system')
      await mkdir(system, { mode: 0o755 })
      const variables = { BACKUP: folder, DIR: system, AGAIN: join(dir, 'again') }
      const program = join(programs, 'killed-restore.ts')
      expect(await runToEnd(program, { ...variables, KILL_AFTER: step })).toBe('SIGKILL')
      await expect(startSystem({ dir: system, port: 0, ingests: 1, processors: 1, onLine: () => {} })).rejects.toThrow(
        `npm start -- --restore ${folder}`,
      )
      expect(await runToEnd(program, variables)).toBe(0)
      expect(await contentOf(join(dir, 'again'))).toEqual(await contentOf(folder))
      await expect(openBackup(folder, system)).rejects.toThrow('Move the old one away')
    },
  )

  test('while it copies the secrets has all of them or none', async () => {
    const folder = join(dir, 'backup')
    const databaseUrl = await createDatabase()
    const program = join(programs, 'killed-backup.ts')
    expect(await runToEnd(program, { DATABASE_URL: databaseUrl, BACKUP: folder, SECRETS: secrets })).toBe(0)
    const system = join(dir, 'system')
    // What is left when the copying ends after the first file.
    await mkdir(join(system, 'secrets.partial'), { recursive: true })
    await writeFile(join(system, 'secrets.partial/one'), 'sec')
    await openBackup(folder, system)
    expect(await secretsIn(join(system, 'secrets'))).toEqual(await secretsIn(secrets))
    expect(await readdir(system)).not.toContain('secrets.partial')
  })
})
