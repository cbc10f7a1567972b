import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FolderStore } from '@clicktally/archive/folder-store.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { Janitor } from '@clicktally/janitor/janitor.ts'
import { HourPacking } from '@clicktally/processor/background/packing/hour-packing.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { createLogger } from '@clicktally/telemetry/logger.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { Client } from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createCliBench, runCli } from './cli-under-test.ts'

const logger = createLogger('test', 'silent')
const dayMs = 86_400_000

async function createArchiveBench() {
  const bench = await createCliBench()
  await bench.startProcessor()
  const folder = await mkdtemp(join(tmpdir(), 'clicktally-archive-'))
  const limits = { name: 'test', logger, maxConnections: 2, statementTimeoutMs: 60_000, settings: { timezone: 'UTC' } }
  const pool = createPool({ ...limits, url: bench.database.janitorUrl })
  const processor = createPool({ ...limits, url: bench.database.processorUrl })
  onTestFinished(async () => {
    await Promise.all([pool.end(), processor.end()])
    await rm(folder, { recursive: true, force: true })
  })
  await bench.ask('update projects set keep_raw_days = 10')
  const variables = { ...bench.variables, ARCHIVE_URL: `file://${folder}` }
  const janitor = new Janitor({
    ...{ pool, store: new FolderStore(folder), logger, metrics: { archived() {}, removed() {}, waiting() {} } },
    ages: { deadLetterDays: 90, auditLogDays: 730, producerDays: 400 },
  })
  return {
    ...bench,
    folder,
    run: (...args: string[]) => runCli(args, variables),
    async archive(): Promise<void> {
      await bench.ask('select fold_counters()')
      await bench.ask(`update stale_hours set stale_since = now() - interval '1 hour'`)
      await new HourPacking({ pool: processor }).pack()
      await janitor.run()
    },
    runJanitor: () => janitor.run(),
    stored: () => bench.ask<{ id: string }>('select * from clicks order by id'),
    counters: () => bench.ask('select * from minute_counters order by minute, target'),
  }
}

const old = (daysAgo: number, target: string) => {
  const timeMs = Date.now() - daysAgo * dayMs
  return createClick({ target, id: randomUuidV7(timeMs), occurredAtMs: timeMs, props: { price: 1.5 } })
}

test('archives are listed, verified, read, and imported again without a change of any count', async () => {
  const bench = await createArchiveBench()
  await bench.send(old(90, 'a'), old(45, 'b'), old(45, 'b'), createClick({ target: 'new' }))
  await bench.untilProcessed()
  await bench.ask('select fold_counters()')
  const [stored, counters] = [await bench.stored(), await bench.counters()]
  expect(await bench.run('archive', 'list')).toMatchObject({ code: 0 })
  await bench.archive()
  expect(await bench.stored()).toHaveLength(1)

  const list = await bench.run('archive', 'list', '--json')
  const manifests = list.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(manifests.reduce((sum, { clicks }) => sum + clicks, 0)).toBe(3)
  expect((await bench.run('archive', 'list')).stdout.split('\n')).toHaveLength(manifests.length + 2)
  expect(await bench.run('archive', 'verify')).toMatchObject({
    code: 0,
    stdout: `${manifests.length} archives with 3 clicks: all as their manifests say.\n`,
  })
  const read = await bench.run('archive', 'read', '--project', 'default')
  const targets = read.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).target)
  expect(targets).toEqual(['a', 'b', 'b'])

  expect((await bench.run('verify')).stdout).toMatch(
    /1 click and 1 counter .*: no difference\.\nRaw clicks of the project "default" were archived: its counters before .* were skipped\.\n/,
  )
  expect((await bench.run('archive', 'import')).code).toBe(2)
  const imported = await bench.run('archive', 'import', '--yes', '--keep-days', '1')
  expect(imported).toMatchObject({ code: 0, stderr: '' })
  expect(imported.stdout).toMatch(/^3 clicks put back until .*, 0 were there\. No count has changed\.\n$/)
  expect((await bench.run('archive', 'import', '--yes', '--keep-days', '1')).stdout).toContain('3 were there')
  expect(await bench.stored()).toEqual(stored)
  expect(await bench.counters()).toEqual(counters)
  expect((await bench.run('verify')).code).toBe(0)
  expect((await bench.run('rebuild', '--yes')).code).toBe(0)
  expect(await bench.counters()).toEqual(counters)
  // They stay for as long as was said, and are archived no second time.
  await bench.runJanitor()
  expect(await bench.stored()).toEqual(stored)
  await bench.ask('update archives set restored_until = now()')
  await bench.runJanitor()
  expect(await bench.stored()).toHaveLength(1)
  expect((await bench.run('archive', 'list', '--json')).stdout).toBe(list.stdout)
  expect(await bench.balance()).toMatchObject({ accepted: 4, counted: 4, inFlight: 0 })
})

/** The partition of a day, and of its month. */
const partitionsAt = (daysAgo: number) => {
  const digits = new Date(Date.now() - daysAgo * dayMs).toISOString().replaceAll('-', '')
  return { ofDay: `clicks_${digits.slice(0, 8)}`, ofMonth: `clicks_${digits.slice(0, 6)}` }
}

/** A bench with two clicks of a past day, of which all is archived and dropped. */
async function createPastDay() {
  const bench = await createArchiveBench()
  const { ofDay, ofMonth } = partitionsAt(90)
  await bench.ask(`select add_click_partition('${ofMonth}' || to_char(day, 'FM00')) from generate_series(1, 28) as day`)
  await bench.ask('select add_click_partition($1)', [ofDay])
  const ofTheMonth = () =>
    bench.ask<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits
       where inhparent = 'clicks'::regclass and inhrelid::regclass::text like $1`,
      [`${ofMonth}%`],
    )
  await bench.send(old(90, 'a'), old(90, 'b'))
  await bench.untilProcessed()
  const stored = await bench.stored()
  await bench.archive()
  expect([await bench.stored(), await ofTheMonth()]).toEqual([[], []])
  const list = await bench.run('archive', 'list', '--json')
  return {
    ...{ ...bench, ofDay, ofMonth, ofTheMonth, stored, archived: list.stdout },
    clicks: bench.stored,
    importAll: () => bench.run('archive', 'import', '--yes', '--keep-days', '1'),
    /** The time is over for which clicks were imported. */
    async runJanitorAfterwards(): Promise<void> {
      await bench.ask('update archives set restored_until = now() where restored_until is not null')
      await bench.runJanitor()
      expect(await bench.run('archive', 'list', '--json')).toEqual(list)
    },
  }
}

test('a day of a past month is imported again into a partition of its own', async () => {
  const bench = await createPastDay()
  expect(await bench.importAll()).toMatchObject({ code: 0, stderr: '' })
  expect(await bench.clicks()).toEqual(bench.stored)
  expect(await bench.ofTheMonth()).toEqual([{ name: bench.ofDay }])
  await bench.runJanitor()
  expect(await bench.clicks()).toEqual(bench.stored)
  await bench.runJanitorAfterwards()
  expect([await bench.clicks(), await bench.ofTheMonth()]).toEqual([[], []])
})

test('a day of a month that has become one partition for clicks of another project is imported into it, and archived no second time', async () => {
  const bench = await createPastDay()
  await bench.ask(`insert into projects (name) values ('other')`)
  await bench.send({ ...old(90, 'other'), projectId: 2 })
  await bench.untilProcessed()
  expect(await bench.ofTheMonth()).toEqual([{ name: bench.ofMonth }])
  const others = await bench.clicks()
  const refused = await bench.importAll()
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('Import them after its next run') })
  expect(await bench.clicks()).toEqual(others)
  await bench.runJanitor()
  expect(await bench.importAll()).toMatchObject({ code: 0, stderr: '' })
  const all = [...bench.stored, ...others].sort((a, b) => (a.id < b.id ? -1 : 1))
  expect(await bench.clicks()).toEqual(all)
  await bench.runJanitor()
  expect(await bench.clicks()).toEqual(all)
  await bench.runJanitorAfterwards()
  expect(await bench.clicks()).toEqual(others)
  expect(await bench.ask('select count(*)::int as uncleared from archives where cleared_at is null')).toEqual([
    { uncleared: 0 },
  ])
})

test('a day and its month of another project are imported together', async () => {
  const bench = await createPastDay()
  await bench.ask(`insert into projects (name, keep_raw_days) values ('other', 10)`)
  await bench.send({ ...old(90, 'other'), projectId: 2 })
  await bench.untilProcessed()
  const others = await bench.clicks()
  await bench.archive()
  expect([await bench.clicks(), await bench.ofTheMonth()]).toEqual([[], []])
  expect(await bench.importAll()).toMatchObject({ code: 0, stderr: '' })
  const all = [...bench.stored, ...others].sort((a, b) => (a.id < b.id ? -1 : 1))
  expect([await bench.clicks(), await bench.ofTheMonth()]).toEqual([all, [{ name: bench.ofMonth }]])
})

test('a month is not imported beside partitions of its days; the error says what to do', async () => {
  const bench = await createArchiveBench()
  const { ofDay } = partitionsAt(90)
  await bench.send(old(90, 'a'))
  await bench.untilProcessed()
  const stored = await bench.stored()
  await bench.archive()
  await bench.ask('select add_click_partition($1)', [ofDay])
  const { code, stderr } = await bench.run('archive', 'import', '--yes')
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining(`cannot be created again beside ${ofDay}`),
  })
  await bench.runJanitor()
  expect((await bench.run('archive', 'import', '--yes')).code).toBe(0)
  expect(await bench.stored()).toEqual(stored)
})

test('no archive is imported while a visitor is to be removed from it', async () => {
  const bench = await createArchiveBench()
  await bench.send({ ...old(45, 'a'), visitorId: 'ann' })
  await bench.untilProcessed()
  await bench.archive()
  const importAll = () => bench.run('archive', 'import', '--yes')
  const refused = {
    code: 1,
    stderr: expect.stringContaining('Visitors are still to be removed from archives of project 1'),
  }
  const forgetting = new Client({ connectionString: bench.database.ownerUrl })
  await forgetting.connect()
  await forgetting.query(
    `begin; set local idle_in_transaction_session_timeout = 0; select record_forgetting('ann', 1, 'test')`,
  )
  const waiting = importAll()
  await vi.waitUntil(async () => {
    const waits = await bench.ask(`select from pg_locks where relation = 'archive_erasures'::regclass and not granted`)
    return waits.length > 0
  }, patience)
  await forgetting.query('commit')
  await forgetting.end()
  expect(await waiting).toMatchObject({ code: 1 })
  expect(await importAll()).toMatchObject(refused)
  expect(await bench.stored()).toEqual([])
  await bench.ask(`update archive_erasures set requested_at = now() - interval '2 hours'`)
  await bench.runJanitor()
  expect(await importAll()).toMatchObject({ code: 0 })
  expect(await bench.stored()).toMatchObject([{ target: 'a', visitor_id: null }])
})

test('an archive of several pages is imported completely', async () => {
  const bench = await createArchiveBench()
  const url = 'x'.repeat(2_048)
  // 2.5 MB, in messages as ingest makes them.
  for (let message = 0; message < 25; message += 1)
    await bench.send(...Array.from({ length: 50 }, () => ({ ...old(45, 'long'), url })))
  await bench.untilProcessed()
  const stored = await bench.stored()
  await bench.archive()
  expect(await bench.stored()).toEqual([])
  const { stdout } = await bench.run('archive', 'import', '--yes', '--keep-days', '1')
  expect(stdout).toContain('1,250 clicks put back')
  expect(await bench.stored()).toEqual(stored)
})

test('a damaged archive is named, and nothing of it is imported', async () => {
  const bench = await createArchiveBench()
  await bench.send(old(45, 'b'))
  await bench.untilProcessed()
  await bench.archive()
  const { file } = JSON.parse((await bench.run('archive', 'list', '--json')).stdout)
  await writeFile(join(bench.folder, file), 'no gzip')
  expect(await bench.run('archive', 'verify')).toMatchObject({ code: 1, stdout: expect.stringContaining(file) })
  expect(await bench.run('archive', 'import', '--yes')).toMatchObject({ code: 1 })
  expect(await bench.stored()).toEqual([])
})

test('an archive that cannot be read is neither damaged nor an error of the database', async () => {
  const bench = await createArchiveBench()
  await bench.send(old(45, 'b'))
  await bench.untilProcessed()
  await bench.archive()
  const { file } = JSON.parse((await bench.run('archive', 'list', '--json')).stdout)
  await rm(join(bench.folder, file))
  await mkdir(join(bench.folder, file))
  const said = expect.stringMatching(`^The archives in ${bench.folder} cannot be used: EISDIR.*\\n$`)
  expect(await bench.run('archive', 'verify')).toEqual({ code: 1, stdout: '', stderr: said })
  expect(await bench.run('archive', 'import', '--yes')).toEqual({ code: 1, stdout: '', stderr: said })
})

test('a place without archives is not verified', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clicktally-archive-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  expect(await runCli(['archive', 'verify'], { ARCHIVE_URL: `file://${folder}` })).toMatchObject({
    code: 1,
    stdout: `There are no matching archives in ${folder}.\n`,
  })
  const missing = join(folder, 'not-mounted')
  expect(await runCli(['archive', 'verify'], { ARCHIVE_URL: `file://${missing}` })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`${missing}, does not exist`),
  })
})

test('without ARCHIVE_URL the commands say what to set', async () => {
  const { code, stderr } = await runCli(['archive', 'list'], {})
  expect(code).toBe(2)
  expect(stderr).toContain('ARCHIVE_URL is not set')
})
