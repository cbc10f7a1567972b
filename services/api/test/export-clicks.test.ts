import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { patience } from '@clicktally/testing/patience.ts'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { parquetReadObjects } from 'hyparquet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ExportLimits, maxExports } from '../export/export-limits.ts'
import { fileStream } from '../export/file-stream.ts'
import { createApi, keys } from './api-under-test.ts'
import { type StoredClick, storeClicks, storeMany } from './raw-click-rows.ts'

type Api = Awaited<ReturnType<typeof createApi>>

async function exported({ app }: Api, query: string) {
  const headers = { authorization: `Bearer ${keys.owner.text}` }
  const { statusCode, headers: sent, rawPayload } = await app.inject({ url: `/v1/export?${query}`, headers })
  expect(statusCode).toBe(200)
  return { headers: sent, bytes: rawPayload, text: rawPayload.toString() }
}

function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

/** The rows of a CSV file, with the original texts. */
function csvRows(text: string): Record<string, string>[] {
  const rows: Record<string, string>[] = parse(text, { columns: true })
  const original = (value: string) => value.replace(/^'/, '')
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, original(value)])))
}

const hostile = [
  '=1+1',
  '+1',
  '-1',
  '@sum(a1)',
  "'quoted",
  "''",
  '\t=1',
  '\r\n=1',
  '"',
  '""',
  'a,b',
  ';=1',
  '＝1',
  'ü, 🦀',
  ' ',
  'null',
]

/** Clicks of some days, with texts that break naive writers; their ids in order. */
async function createHostile() {
  const api = await createApi()
  const clicks: StoredClick[] = hostile.map((target, n) => ({
    ...{ target, visitorId: target, url: n % 3 === 0 ? null : target, agent: n % 2 === 0 ? null : 'abc' },
    ...{ props: n % 4 === 0 ? null : { [`key ${target}`]: target, n }, bot: n % 5 === 0 },
    occurredAt: new Date(Date.UTC(2026, 2, 1) + n * 7 * 3_600_000 + n).toISOString(),
  }))
  await storeClicks(api.owner, clicks)
  const { rows } = await api.owner.query('select * from clicks order by id')
  return { api, stored: rows, clicks }
}

describe('GET /v1/export', () => {
  test('has every click, as NDJSON', async () => {
    const { api, stored } = await createHostile()
    const { text, headers } = await exported(api, 'format=ndjson&personal=true')
    expect(headers['content-type']).toBe('application/x-ndjson')
    expect(headers['cache-control']).toBe('no-store')
    expect(linesOf(text)).toEqual(
      stored.map((row) => ({
        ...{ id: row.id, target: row.target, bot: row.bot, country: row.country, url: row.url, referrer: row.referrer },
        ...{ occurredAt: row.occurred_at.toISOString(), receivedAt: row.received_at.toISOString() },
        ...{ countedAt: row.counted_at.toISOString(), visitorId: row.visitor_id, props: row.props },
        ...{ browser: row.agent && expect.any(String), os: row.agent && expect.any(String) },
        device: row.agent && expect.any(String),
      })),
    )
  })

  test('has the same clicks as CSV, in which no cell is a formula and each text can be restored', async () => {
    const { api } = await createHostile()
    const { text, headers } = await exported(api, 'format=csv&personal=true')
    expect(headers['content-type']).toMatch(/^text\/csv; charset=utf-8/)
    expect(headers['content-disposition']).toBe('attachment; filename="clicks.csv"')
    const asText = (value: unknown) =>
      value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
    const { text: lines } = await exported(api, 'format=ndjson&personal=true')
    expect(csvRows(text)).toEqual(
      linesOf(lines).map((line) =>
        Object.fromEntries(Object.entries(line).map(([name, value]) => [name, asText(value)])),
      ),
    )
    const cells = (parse(text) as string[][]).flat()
    expect(cells.length).toBeGreaterThan(100)
    expect(cells.filter((cell) => /^[=+\-@\t\r\n＝＋－＠]/.test(cell))).toEqual([])
    // An empty text is not the same as none.
    expect(text).toContain(',,')
  })

  test('has the same clicks as Parquet', async () => {
    const { api } = await createHostile()
    const { bytes } = await exported(api, 'format=parquet&personal=true')
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    const rows = await parquetReadObjects({ file, utf8: false })
    const { text } = await exported(api, 'format=ndjson&personal=true')
    expect(JSON.parse(JSON.stringify(rows))).toEqual(linesOf(text))
    expect(rows[0]?.occurredAt).toBeInstanceOf(Date)
  })

  test('without personal data has none of its columns', async () => {
    const { api } = await createHostile()
    const { text } = await exported(api, 'format=csv')
    expect(text.split('\r\n', 1)[0]).toBe('id,target,occurredAt,country,bot,receivedAt,countedAt,browser,os,device')
  })

  test.each(['csv', 'ndjson', 'parquet'])('without clicks is a complete %s file', async (format) => {
    const api = await createApi()
    const { bytes } = await exported(api, `format=${format}`)
    if (format === 'parquet') {
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
      expect(await parquetReadObjects({ file })).toEqual([])
    } else expect(csvRows(bytes.toString())).toEqual([])
  })

  test('continues behind any click with the same rest', async () => {
    const { api } = await createHostile()
    const all = linesOf((await exported(api, 'format=ndjson')).text)
    for (const [place, { id }] of all.entries()) {
      expect(linesOf((await exported(api, `format=ndjson&after=${id}`)).text)).toEqual(all.slice(place + 1))
    }
  })

  test('has the clicks of a time range and target, over several pages', async () => {
    const api = await createApi()
    const clicks = Array.from({ length: 5_100 }, (_, n) => ({
      target: n % 2 === 0 ? 'even' : 'odd',
      occurredAt: new Date(Date.UTC(2026, 2, 1, 22) + n * 2_000).toISOString(),
    }))
    const ids = await storeClicks(api.owner, clicks)
    const [from, to] = ['2026-03-01T22:10:00.000Z', '2026-03-02T00:40:00.000Z']
    const { text } = await exported(api, `format=ndjson&target=even&from=${from}&to=${to}`)
    const expected = ids.filter((_, n) => {
      const { target, occurredAt } = clicks[n] as (typeof clicks)[number]
      return target === 'even' && occurredAt >= from && occurredAt < to
    })
    expect(expected.length).toBe(2_250)
    expect(linesOf(text).map(({ id }) => id)).toEqual(expected.sort())
    expect(linesOf((await exported(api, 'format=ndjson')).text)).toHaveLength(5_100)
  })

  test('tells how fresh it is', async () => {
    const api = await createApi()
    await api.owner.query(
      `insert into processor_progress (processor, name, counted_through, connections)
       values ('019c0000-0000-7000-8000-000000000001', 'p', '2026-03-01T10:00Z', '{}')`,
    )
    const { headers } = await exported(api, 'format=csv')
    expect(headers['clicktally-as-of']).toBe('2026-03-01T10:00:00.000Z')
  })
})

test('any text can be restored from a cell of CSV', async () => {
  const { api } = await createHostile()
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 20 }), async (target) => {
      fc.pre(!target.includes('\0') && target.isWellFormed())
      await api.owner.query('delete from clicks')
      await storeClicks(api.owner, [{ target, occurredAt: '2026-03-01T10:00Z' }])
      expect(csvRows((await exported(api, 'format=csv')).text)[0]?.target).toBe(target)
    }),
    { numRuns: 50 },
  )
})

describe('an export that is not read', () => {
  /** 16 MB of clicks: more than the buffers of two sockets. */
  async function createLarge() {
    const api = await createApi()
    await storeMany(api.owner, 4_000, 4_000)
    return { ...api, url: await api.app.listen({ host: '127.0.0.1', port: 0 }) }
  }
  const start = (url: string, key: string, signal?: AbortSignal) =>
    fetch(`${url}/v1/export?format=ndjson&personal=true`, {
      headers: { authorization: `Bearer ${key}` },
      ...(signal && { signal }),
    })

  test('holds no transaction, and keeps only its own key from another one', async () => {
    const { url, owner } = await createLarge()
    const controller = new AbortController()
    const stalled = await start(url, keys.owner.text, controller.signal)
    expect(stalled.status).toBe(200)
    // Until the api waits for the client.
    await vi.waitFor(async () => {
      const { rows } = await owner.query(
        `select count(*)::int as open from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null`,
      )
      expect(rows[0].open).toBe(0)
    }, patience)
    const again = await start(url, keys.owner.text)
    expect([again.status, again.headers.get('retry-after'), ((await again.json()) as { code: string }).code]).toEqual([
      429,
      '30',
      'export_in_progress',
    ])
    const other = await start(url, keys.auditor.text)
    expect((await other.text()).split('\n')).toHaveLength(4_001)
    controller.abort()
    await vi.waitFor(async () => expect((await start(url, keys.owner.text)).status).toBe(200), patience)
  })

  test('ends when nothing was taken for the time that is allowed', async () => {
    let ended = false
    async function* endless() {
      try {
        for (;;) yield 'x'.repeat(100_000)
      } finally {
        ended = true
      }
    }
    const stream = fileStream(endless(), 50)
    const failure = new Promise<Error>((resolve) => stream.once('error', resolve))
    stream.read(1)
    expect((await failure).message).toBe('the client has stopped reading')
    await vi.waitFor(() => expect(ended).toBe(true), patience)
  })

  test('does not end while it is read slowly', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    async function* some() {
      for (let part = 0; part < 6; part += 1) yield 'x'.repeat(70_000)
    }
    let bytes = 0
    for await (const part of fileStream(some(), 60_000)) {
      bytes += part.length
      vi.advanceTimersByTime(29_000)
    }
    expect(bytes).toBe(420_000)
  })

  test('counts towards the limit of all exports', () => {
    const limits = new ExportLimits()
    const ends = Array.from({ length: maxExports }, (_, n) => limits.begin(`key:${n}`))
    expect(() => limits.begin('key:other')).toThrow(/in progress/)
    ends[0]?.()
    ends[0]?.()
    limits.begin('key:other')
    expect(() => limits.begin('key:0')).toThrow(/in progress/)
  })
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

test('the memory of an export does not grow with its clicks', async () => {
  const api = await createApi()
  await storeMany(api.owner, 40_000, 1_500)
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 })
  /** Bytes received, and the most memory held meanwhile, in bytes: objects and buffers, without garbage. */
  const run = async (format: string, range: string) => {
    const headers = { authorization: `Bearer ${keys.owner.text}` }
    const response = await fetch(`${url}/v1/export?format=${format}&personal=true&${range}`, { headers })
    let [bytes, peak] = [0, 0]
    let collectedAt = 0
    for await (const part of response.body ?? []) {
      bytes += part.length
      // Resident memory would include garbage and what the allocator keeps, which depend on what else the machine does.
      if (bytes - collectedAt > 2_000_000) {
        collectGarbage()
        const { heapUsed, external } = process.memoryUsage()
        peak = Math.max(peak, heapUsed + external)
        collectedAt = bytes
      }
    }
    return { bytes, peak }
  }
  for (const format of ['ndjson', 'csv']) {
    const few = 'to=2026-03-01T00:01:00Z'
    // The first run fills caches and the heap.
    await run(format, few)
    const small = await run(format, few)
    const large = await run(format, '')
    expect(large.bytes).toBeGreaterThan(60_000_000)
    expect(large.bytes).toBeGreaterThan(3 * small.bytes)
    expect(small.peak).toBeGreaterThan(0)
    expect(large.peak - small.peak).toBeLessThan(10_000_000)
  }
})
