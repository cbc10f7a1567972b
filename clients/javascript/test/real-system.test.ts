import { readFile, rm } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { logClick } from '@clicktally/access-log/log-click.ts'
import { parseLogLine } from '@clicktally/access-log/log-line.ts'
import { generateLog, LogCounts } from '@clicktally/e2e/log-counts.ts'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { readConfig } from '@clicktally/testing/config.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ClickSender, CountReader } from '../index.ts'
import { type Fault, FaultyProxy } from './faulty-proxy.ts'

/** An optional real access log (.env.example). */
const { accessLog } = readConfig(process.env)
let dir: string
let system: System

beforeAll(async () => {
  dir = await makeScratchFolder('client')
  system = await startSystem({ dir, port: 0, ingests: 2, processors: 1, onLine: () => {} })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const faults: Fault[] = [
  'none',
  'lose',
  'cut',
  'none',
  { status: 503, retryAfter: '0' },
  'lose',
  'hang',
  { status: 502 },
]

/**
 * Sends each line of the log as a click of now, while requests fail and an ingest is killed. The counts of every target must be
 * those of the log.
 *
 * @param prefix put before each target, to tell the clicks of two logs apart; all targets of logs begin with a slash
 */
async function expectCounted(log: string, prefix: string): Promise<void> {
  let requests = 0
  const proxy = await FaultyProxy.start(system.baseUrl, () => faults[requests++ % faults.length] ?? 'none')
  const dropped: unknown[] = []
  const sender = new ClickSender({
    ...{ url: proxy.url, key: system.ownerKey, timeoutMs: 3_000, maxQueued: 100_000 },
    onDrop: (click, drop) => dropped.push({ click, drop }),
  })
  const visitorKey = Buffer.alloc(32)
  for (const [index, line] of log.trimEnd().split('\n').entries()) {
    const read = parseLogLine(line)
    if (read === undefined) throw new Error(`not a line of a log: ${line}`)
    const { target, ...fields } = logClick(read, visitorKey)
    sender.click(prefix + target, fields)
    if (index % 1_000 === 999) await sender.flush()
    if (index === 1_500) system.services.get('ingest-1')?.program.signal('SIGKILL')
  }
  await sender.close({ timeoutMs: patience.timeout })
  const sentAtMs = Date.now()
  expect(dropped).toEqual([])
  expect(proxy.requests.length).toBeGreaterThan(faults.length)

  const reader = new CountReader({ url: system.baseUrl, key: system.ownerKey })
  await vi.waitFor(async () => {
    const { meta } = await reader.counts()
    expect(Date.parse(meta.asOf ?? '')).toBeGreaterThan(sentAtMs)
  }, patience)
  const counted = new Map<string, [people: number, bots: number]>()
  let cursor: string | null | undefined
  do {
    const page = await reader.top({ targetPrefix: `${prefix}/`, limit: 1_000, ...(cursor != null && { cursor }) })
    for (const { target, total, bots } of page.targets) counted.set(target.slice(prefix.length), [total, bots])
    cursor = page.nextCursor
  } while (cursor !== null)
  const { targets } = new LogCounts(log)
  const expected = targets.top(targets.size).map(({ target, people, bots }) => [target, [people, bots]] as const)
  expect(counted).toEqual(new Map(expected))
}

test('each click is counted once, whatever happens to its requests', async () => {
  await expectCounted(generateLog([new Date('2026-01-01T00:00:00Z')], 3_000, 14), 'generated')
})

test.runIf(accessLog)('so is each line of the log from TEST_ACCESS_LOG', async () => {
  await expectCounted(gunzipSync(await readFile(accessLog as string)).toString('latin1'), '')
})
