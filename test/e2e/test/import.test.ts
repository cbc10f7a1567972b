import { spawn } from 'node:child_process'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { CountsReader } from '@clicktally/requests/counts-reader.ts'
import type { TargetCounts } from '@clicktally/requests/target-counts.ts'
import { readConfig } from '@clicktally/testing/config.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { generateLog, LogCounts } from '../log-counts.ts'

const main = join(import.meta.dirname, '../../../cli/main.ts')
/** An optional real access log (.env.example). Generated logs use years that a real log does not have. */
const { accessLog } = readConfig(process.env)
const testMs = 240_000
const dayMs = 86_400_000
let dir: string
let system: System

beforeAll(async () => {
  dir = await makeScratchFolder('import-e2e')
  system = await startSystem({ dir, port: 0, ingests: 2, processors: 2, onLine: () => {} })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

interface Range {
  readonly from: string
  readonly to: string
}

function get(path: string): Promise<Response> {
  return fetch(new URL(path, system.baseUrl), { headers: { authorization: `Bearer ${system.ownerKey}` } })
}

function startImport(...args: string[]) {
  const child = spawn(process.execPath, [main, 'import', '--url', system.baseUrl, ...args], {
    env: { PATH: process.env.PATH, CLICKTALLY_KEY: system.ownerKey, XDG_STATE_HOME: join(dir, 'state') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  const ended = new Promise<{ code: number | null; text: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, text }))
  })
  return { child, ended }
}

/** Clicks accepted by imports that finished. Those of killed imports are not included. */
let accepted = 0

/** Imports the whole file, and waits until none of its clicks is in flight. */
async function importFile(path: string, { targets }: { targets: Pick<TargetCounts, 'clicks'> }): Promise<void> {
  const { code, text } = await startImport('--wait', path).ended
  expect({ code, text }).toEqual({ code: 0, text: expect.stringMatching(/Counted +everything/) })
  expect(text).toContain(`${targets.clicks.toLocaleString('en-US')} clicks accepted, 0 lines rejected`)
  accepted += targets.clicks
  await vi.waitFor(async () => {
    const balance = (await (await get('/v1/balance')).json()) as Record<string, number>
    expect(balance).toMatchObject({ inFlight: 0, dead: 0 })
    expect(balance.accepted).toBeGreaterThanOrEqual(accepted)
  }, patience)
}

async function fileWith(name: string, content: string | Buffer): Promise<string> {
  const path = join(dir, name)
  await writeFile(path, content)
  return path
}

function daysOf({ from, to }: Range): Date[] {
  return Array.from(
    { length: (Date.parse(to) - Date.parse(from)) / dayMs },
    (_, day) => new Date(Date.parse(from) + day * dayMs),
  )
}

function dayAfter(day: string): string {
  return new Date(Date.parse(day) + dayMs).toISOString().slice(0, 10)
}

/** Expects the series to match the file for each day of the range, with 0 for days without a click. */
async function expectDays({ from, to }: Range, { days }: LogCounts): Promise<void> {
  const response = await get(`/v1/counts/series?interval=day&from=${from}T00:00:00Z&to=${to}T00:00:00Z`)
  const { points } = (await response.json()) as { points: { start: string; total: number; bots: number }[] }
  expect(points).toEqual(
    daysOf({ from, to }).map((day) => {
      const { people = 0, bots = 0 } = days.get(day.toISOString().slice(0, 10)) ?? {}
      const end = new Date(day.getTime() + dayMs)
      return { start: day.toISOString(), end: end.toISOString(), total: people, bots }
    }),
  )
}

/** Expects the paginated list of top targets to match the file exactly. */
async function expectTargets({ from, to }: Range, { targets }: LogCounts): Promise<void> {
  const range = { fromMs: Date.parse(from), toMs: Date.parse(to) }
  const reader = new CountsReader(`${system.baseUrl}/`, system.ownerKey, range, 10_000, new AbortController().signal)
  const all = (counts: TargetCounts) => counts.top(1_000_000)
  expect(all((await reader.targets()).counts)).toEqual(all(targets))
}

/** The folder with the exports of other counters, as they document them. */
const peerExports = join(import.meta.dirname, '../../../cli/test/peer-exports')

/** The numbers of clicks and counters, and whether the counters add up to the clicks. */
async function stored(): Promise<{ clicks: number; counted: number; counters: number }> {
  const client = new Client({ connectionString: system.postgresUrl })
  await client.connect()
  try {
    const { rows } = await client.query(`
      select
        (select count(*)::int from clicks) as clicks,
        (select sum(total + bots)::int from counters) as counted,
        (select count(distinct (project_id, target, minute))::int from counters) as counters`)
    return rows[0]
  } finally {
    await client.end()
  }
}

/** The number of lines before the checkpoint of the running import. */
async function checkpointLines(): Promise<number> {
  const folder = join(dir, 'state/clicktally/imports')
  for (const name of await readdir(folder).catch(() => [])) {
    const text = name.endsWith('.json') ? await readFile(join(folder, name), 'utf8').catch(() => '') : ''
    if (text !== '') return JSON.parse(text).files[0].position.lines
  }
  return 0
}

// Many processes on a small machine: the limit is for what hangs.
describe('an imported log', { timeout: testMs }, () => {
  const year = (number: number): Range => ({ from: `${number}-01-01`, to: `${number + 1}-01-01` })

  test('is counted exactly, by day and by target, and importing it again changes no count', async () => {
    const days2000 = daysOf(year(2000)).filter((day) => day.getUTCDate() % 3 !== 0)
    const days2004 = daysOf(year(2004)).filter((day) => day.getUTCMonth() % 4 === 1)
    const logs = [generateLog(days2000, 15, 1), generateLog(days2004, 15, 2)] as const
    const counts = logs.map((log) => new LogCounts(log))
    const clicks = counts.reduce((sum, { targets }) => sum + targets.clicks, 0)
    expect(clicks).toBeGreaterThan(3_000)

    await importFile(await fileWith('made.log', logs.join('')), { targets: { clicks } })
    const first = await stored()
    expect(first).toMatchObject({ clicks, counted: clicks })
    await importFile(await fileWith('the-same-but-for-its-name.gz', gzipSync(logs.join(''))), { targets: { clicks } })
    expect(await stored()).toEqual(first)
    for (const [index, range] of [year(2000), year(2004)].entries()) {
      await expectDays(range, counts[index] as LogCounts)
      await expectTargets(range, counts[index] as LogCounts)
    }
  })

  test.for([
    ['plain', (text: string) => text],
    ['gzip', (text: string) => gzipSync(text)],
  ] as const)('is counted to the click though the import was killed again and again: %s', async ([name, pack]) => {
    const range = name === 'plain' ? year(2001) : year(2002)
    const log = generateLog(daysOf(range).slice(20, 80), 250, name.length)
    const counts = new LogCounts(log)
    const file = await fileWith(`killed-${name}`, pack(log))
    let kills = 0
    for (const enough of [1_000, 5_000, 9_000]) {
      const { child, ended } = startImport(file)
      let isOver = false
      void ended.then(() => {
        isOver = true
      })
      await vi.waitFor(async () => expect(isOver || (await checkpointLines()) >= enough).toBe(true), patience)
      kills += child.kill('SIGKILL') ? 1 : 0
      await ended
      if (isOver && (await checkpointLines()) === 0) break
    }
    expect(kills).toBeGreaterThan(1)
    await importFile(file, counts)
    await expectDays(range, counts)
    await expectTargets(range, counts)
  })

  test.runIf(accessLog)(
    'from TEST_ACCESS_LOG is counted exactly, and importing it again changes no count',
    async () => {
      const file = accessLog as string
      const counts = new LogCounts(gunzipSync(await readFile(file)).toString('latin1'))
      const days = [...counts.days.keys()].sort()
      const range: Range = { from: days[0] as string, to: dayAfter(days.at(-1) as string) }
      await importFile(file, counts)
      await expectDays(range, counts)
      await expectTargets(range, counts)
      const first = await stored()
      await importFile(file, counts)
      expect(await stored()).toEqual(first)
      await expectDays(range, counts)
    },
  )
})

test('the exports of other counters are counted once, however often they are imported', {
  timeout: testMs,
}, async () => {
  const files = [
    'imported_custom_events_20260501_20260503.csv',
    'imported_pages_20260501_20260503.csv',
    'umami-website-event.csv',
    'goatcounter-export-2.csv',
    'matomo-visits.ndjson',
  ].map((name) => join(peerExports, name))
  for (const _ of ['first', 'again']) {
    const { code, text } = await startImport('--pageviews', '--wait', ...files).ended
    expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining('34 clicks accepted, 0 lines rejected') })
    const answer = await get('/v1/counts/top?from=2026-05-01&to=2026-05-04&limit=100')
    const { targets } = (await answer.json()) as { targets: { target: string; total: number; bots: number }[] }
    expect(Object.fromEntries(targets.map(({ target, total, bots }) => [target, [total, bots]]))).toEqual({
      ...{ Signup: [5, 0], 'Outbound Link: Click': [2, 0], '404': [3, 0], 'File Download': [2, 0] },
      ...{ 'Café, "neu" 🎉': [1, 0], 'page: /': [9, 0], 'page: /prices': [3, 0], 'page: /pricing': [1, 0] },
      ...{ 'signup-button': [2, 1], 'download, "mac"': [1, 0], 'Video: Play': [1, 0], 'Menu: Open': [1, 0] },
      ...{ 'outbound: github.com/example/shop': [1, 0], 'download: /files/price-list.pdf': [1, 0] },
    })
  }
})
