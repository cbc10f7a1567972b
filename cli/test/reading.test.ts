import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CounterRow, createApi, keys } from '@clicktally/api/test/api-under-test.ts'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runCli } from './cli-under-test.ts'

const rows: CounterRow[] = [
  { target: 'signup', minute: '2026-02-27T12:00Z', total: 40, visitors: ['eve'] },
  { target: 'signup', minute: '2026-03-01T10:00Z', total: 1_200, bots: 3, visitors: ['ann', 'bob'] },
  { target: 'a,b', minute: '2026-03-02T23:30Z', total: 50, visitors: ['ann'] },
  { target: '=1+1', minute: '2026-03-02T23:30Z', total: 6, visitors: ['cid'] },
]

/** The command line with a read key, and the service api over a database with these counters. */
async function createReader() {
  const { app, count } = await createApi()
  await count(...rows)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const run = (...args: string[]) => runCli(args, { CLICKTALLY_URL: url, CLICKTALLY_KEY: keys.read.text })
  return {
    url,
    count,
    run,
    /** The lines that a command prints that must succeed. */
    async lines(...args: string[]): Promise<string[]> {
      const { code, stdout, stderr } = await run(...args)
      expect([code, stderr]).toEqual([0, ''])
      return stdout.trimEnd().split('\n')
    },
  }
}

const march = ['--from', '2026-03-01', '--to', '2026-03-03']

test('count prints clicks, visitors and bots of a range, and the change', async () => {
  const { lines } = await createReader()
  expect(await lines('count', ...march, '--compare')).toEqual([
    'clicks            1,256   +3040 % from 40',
    'visitors              3   +200 % from 1',
    'bots                  3   new from 0',
    '',
    '2026-03-01 to 2026-03-03 (UTC)',
    'compared with 2026-02-27 to 2026-03-01 (UTC)',
    'Nothing has been counted yet.',
  ])
  const [json = ''] = await lines('count', '--target', 'a,b', '--target', '=1+1', '--json')
  expect(JSON.parse(json)).toMatchObject({ total: 56, visitors: 2, meta: { tz: 'UTC' } })
  expect((await lines('count', '--prefix', 'sign'))[0]).toMatch(/^clicks +1,240$/)
})

test('series prints a table and a sparkline in the time zone, CSV or JSON', async () => {
  const { lines } = await createReader()
  expect(await lines('series', ...march, '--tz', 'Asia/Kathmandu', '--visitors', '--compare')).toEqual([
    'day         clicks  bots  visitors',
    '2026-03-01   1,200     3         2',
    '2026-03-02       0     0         0',
    '',
    '█▁',
    '1,200 clicks, 2026-03-01 to 2026-03-03 (Asia/Kathmandu)',
    'Nothing has been counted yet.',
    '+2900 % from 40, 2026-02-27 to 2026-03-01 (Asia/Kathmandu)',
  ])
  expect(await lines('series', '--from', '2026-02-01', '--to', '2026-04-01', '--interval', 'month', '--csv')).toEqual([
    'start,end,total,bots',
    '2026-02-01T00:00:00.000Z,2026-03-01T00:00:00.000Z,40,0',
    '2026-03-01T00:00:00.000Z,2026-04-01T00:00:00.000Z,1256,3',
  ])
  const [json = ''] = await lines('series', ...march, '--json')
  expect(JSON.parse(json).points).toHaveLength(2)
})

test('top prints the most clicked targets; its CSV is safe in a spreadsheet', async () => {
  const { lines } = await createReader()
  expect(await lines('top', ...march, '--limit', '2', '--compare')).toEqual([
    'target  clicks  bots   change',
    'signup   1,200     3  +2900 %',
    'a,b         50     0      new',
    '',
    '2026-03-01 to 2026-03-03 (UTC)',
    'Nothing has been counted yet.',
  ])
  expect(await lines('top', ...march, '--visitors', '--csv')).toEqual([
    'target,total,bots,visitors',
    'signup,1200,3,2',
    '"a,b",50,0,1',
    "'=1+1,6,0,1",
  ])
  expect((await lines('top', ...march, '--prefix', 'a', '--compare'))[1]).toBe('a,b         50     0     new')
  expect((await lines('top', '--prefix', 'nothing'))[0]).toBe('There are no such clicks.')
})

test('--last ends now', async () => {
  const { lines, count } = await createReader()
  await count({ target: 'now', minute: new Date().toISOString(), total: 7 })
  for (const [last, points] of [
    ['10m', 10],
    ['24h', 24],
    ['7d', 7],
    ['2w', 14],
  ] as const) {
    const [json = ''] = await lines('series', '--last', last, '--json')
    const series = JSON.parse(json)
    // One more if the clock has moved on to the next minute, hour or day in between.
    expect([points, points + 1]).toContain(series.points.length)
    expect(series.points.reduce((sum: number, { total }: { total: number }) => sum + total, 0)).toBe(7)
  }
})

describe('the key', () => {
  test('comes from a file', async () => {
    const { url } = await createReader()
    const dir = await mkdtemp(join(tmpdir(), 'clicktally-key-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    const file = join(dir, 'key')
    await writeFile(file, `${keys.read.text}\n`)
    const run = (...args: string[]) => runCli(['count', '--url', url, ...args], { CLICKTALLY_KEY: keys.write.text })
    expect((await run('--key-file', file)).code).toBe(0)
    expect(await run()).toMatchObject({ code: 1, stderr: expect.stringContaining('does not have the right') })
    expect(await run('--key-file', join(dir, 'none'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^--key-file: ENOENT/),
    })
  })

  test('that the range is impossible is said in a sentence', async () => {
    const { run } = await createReader()
    expect(await run('count', '--from', 'yesterday')).toMatchObject({ code: 2, stdout: '' })
    expect(await run('count', '--compare')).toMatchObject({ code: 2, stderr: '--compare needs --last, or --from.\n' })
  })
})
