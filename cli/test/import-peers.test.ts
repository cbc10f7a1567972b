import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CountingServer, type ReceivedClick } from '@clicktally/requests/test/counting-server.ts'
import { startOfText } from '@clicktally/text-file/line.ts'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { importBatches } from '../import/import-batches.ts'
import { findInput } from '../import/import-input.ts'
import { accountOf, accounts } from '../import/peers/accounts.ts'
import { noonOf } from '../import/peers/plausible.ts'
import { type Ended, runCli } from './cli-under-test.ts'

const exportOf = (name: string) => join(import.meta.dirname, 'peer-exports', name)
const events = 'imported_custom_events_20260501_20260503.csv'
const pages = 'imported_pages_20260501_20260503.csv'
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clicktally-peers-'))
})

afterAll(() => rm(folder, { recursive: true }))

async function createBench() {
  const server = new CountingServer()
  const url = await server.listen()
  onTestFinished(() => server.close())
  const variables = { PATH: process.env.PATH, XDG_STATE_HOME: folder, CLICKTALLY_URL: url, CLICKTALLY_KEY: 'ct_test' }
  return {
    server,
    run: (...args: string[]): Promise<Ended> => runCli(['import', ...args], variables),
    /** The clicks without their ids, in the order of their times. */
    clicks: () =>
      [...server.clicks.values()]
        .map(({ id: _, ...click }: ReceivedClick) => click)
        .sort((a, b) => a.occurredAt.localeCompare(b.occurredAt)),
    /** How many clicks there are for each target. */
    byTarget: () =>
      Object.fromEntries(
        Object.entries(Object.groupBy(server.clicks.values(), ({ target }) => target)).map(([target, clicks]) => [
          target,
          clicks?.length,
        ]),
      ),
  }
}

async function fileWith(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

describe("Plausible's export", () => {
  test('becomes as many clicks as it counts, at noon of each day, and says what it lacks', async () => {
    const { run, byTarget, clicks } = await createBench()
    const { code, stdout, stderr } = await run(exportOf(events))
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('13 clicks accepted, 0 lines rejected'),
    })
    expect(stdout).toContain('1 × other: Neither a click nor a page view: how long pages were read.')
    expect(byTarget()).toEqual({
      ...{ Signup: 5, 'Outbound Link: Click': 2, '404': 3, 'File Download': 2, 'Café, "neu" 🎉': 1 },
    })
    expect(clicks()[0]).toEqual({ target: 'Signup', occurredAt: '2026-05-01T12:00:00.000Z' })
    expect(clicks()).toContainEqual({
      target: 'Outbound Link: Click',
      occurredAt: '2026-05-01T12:00:00.000Z',
      props: { url: 'https://github.com/example/shop?tab=readme' },
    })
    for (const line of accountOf('plausible')) expect(stderr).toContain(line)
  })

  test('changes nothing when it is imported again, in another order too, and a later one adds what is new', async () => {
    const { run, server } = await createBench()
    await run(exportOf(events))
    const before = [...server.clicks.keys()]
    const [header = '', ...lines] = (await readFile(exportOf(events), 'utf8')).trimEnd().split('\n')
    await run(await fileWith('reversed.csv', [header, ...lines.reverse(), ''].join('\n')))
    expect([...server.clicks.keys()]).toEqual(before)
    const grown = [header, ...lines]
      .join('\n')
      .replace('"2026-05-02","Signup","","",1,1', '"2026-05-02","Signup","","",3,4')
    await run(await fileWith('grown.csv', `${grown}\n`))
    expect(server.clicks.size).toBe(before.length + 3)
  })

  test('has page views, which count if that is wanted', async () => {
    const { run, byTarget, clicks } = await createBench()
    const skipped = await run(exportOf(pages))
    expect(skipped).toMatchObject({ code: 0, stdout: expect.stringMatching(/0 clicks accepted.*3 × pageview: /s) })
    await run('--pageviews', exportOf(pages))
    expect(byTarget()).toEqual({ 'page: /': 8, 'page: /prices': 2 })
    expect(clicks()[0]).toMatchObject({ url: 'https://shop.example/' })
  })

  test('is refused for a file that counts the same visits by another property', async () => {
    const { run, server } = await createBench()
    const { code, stderr } = await run(exportOf('imported_browsers_20260501_20260503.csv'))
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('would count them again') })
    expect(server.clicks.size).toBe(0)
  })

  test('has dates of a time zone, and rows that count nothing or nonsense', async () => {
    const { run, clicks } = await createBench()
    const file = await fileWith(
      'odd.csv',
      `date,name,link_url,path,visitors,events\n2026-05-01,a,,,1,1\n2026-02-30,b,,,1,1\n2026-05-01,c,,,0,0\n2026-05-01,d,,,1,1e15\n2026-05-01,e,,,1,-1\n`,
    )
    const { code, stdout } = await run('--tz', 'Pacific/Auckland', file)
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('2 × count_invalid') })
    expect(stdout).toContain('1 × date_invalid')
    expect(clicks()).toEqual([{ target: 'a', occurredAt: '2026-05-01T00:00:00.000Z' }])
  })

  test('is placed at noon also where clocks are far from UTC, or changed on that day', () => {
    const noon = (date: string, zone: string) => new Date(noonOf(date, zone) ?? Number.NaN).toISOString()
    expect(noon('2026-05-01', 'Pacific/Kiritimati')).toBe('2026-04-30T22:00:00.000Z')
    expect(noon('2026-05-01', 'Pacific/Pago_Pago')).toBe('2026-05-01T23:00:00.000Z')
    expect(noon('2026-03-29', 'Europe/Berlin')).toBe('2026-03-29T10:00:00.000Z')
    expect(noon('2026-05-01', 'Asia/Kathmandu')).toBe('2026-05-01T06:15:00.000Z')
  })
})

describe("Umami's export", () => {
  test('becomes a click for each event, which is the same in every export', async () => {
    const { run, server, clicks } = await createBench()
    const { code, stdout } = await run(exportOf('umami-website-event.csv'))
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('2 clicks accepted, 0 lines rejected'),
    })
    expect(stdout).toMatch(/1 × pageview: .*\n +1 × other: |1 × other: .*\n +1 × pageview: /)
    expect(clicks()).toEqual([
      {
        ...{ target: 'signup-button', occurredAt: '2026-05-01T08:00:12.250Z', country: 'US' },
        ...{ visitorId: '5f0f4a9e-0c1d-5e2f-8a3b-4c5d6e7f8091', url: 'https://shop.example/pricing' },
        referrer: 'https://news.ycombinator.com/item',
      },
      {
        ...{ target: 'download, "mac"', occurredAt: '2026-05-02T08:30:00.000Z', country: 'DE' },
        ...{ visitorId: '6a1b2c3d-0c1d-5e2f-8a3b-4c5d6e7f8092', url: 'https://shop.example/' },
      },
    ])
    const [header = '', ...lines] = (await readFile(exportOf('umami-website-event.csv'), 'utf8')).trimEnd().split('\n')
    await run('--pageviews', await fileWith('moved.csv', [header, ...lines.slice(1), lines[0]].join('\n')))
    expect(server.clicks.size).toBe(3)
    expect(clicks()).toContainEqual(
      expect.objectContaining({ target: 'page: /pricing', url: 'https://shop.example/pricing?ref=hn' }),
    )
  })

  test('of its dashboard is refused, as it has no times', async () => {
    const { run } = await createBench()
    const { code, stderr } = await run('--format', 'umami', await fileWith('events.csv', 'x,y\nsignup,12\n'))
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('has no times') })
  })
})

describe("GoatCounter's export", () => {
  test('becomes a click for each event, with bots, in both versions', async () => {
    const { run, clicks } = await createBench()
    const { code } = await run(exportOf('goatcounter-export-1.csv'), exportOf('goatcounter-export-2.csv'))
    expect(code).toBe(0)
    expect(clicks()).toEqual([
      {
        ...{ target: 'ext-github', occurredAt: '2020-11-03T20:04:12.000Z', visitorId: '0', country: 'NL' },
        userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/78.0',
      },
      {
        ...{ target: 'signup-button', occurredAt: '2026-05-01T09:00:00.000Z', country: 'US', bot: true },
        visitorId: '4ea2f2b0-6c55-4a45-9a32-3a1f2c9d0002',
      },
      {
        ...{ target: 'signup-button', occurredAt: '2026-05-01T09:15:20.000Z', country: 'DE' },
        ...{ visitorId: '4ea2f2b0-6c55-4a45-9a32-3a1f2c9d0001', referrer: 'https://www.example.com/links' },
      },
    ])
  })

  test('changes nothing when a longer one is imported, and counts page views if that is wanted', async () => {
    const { run, server, byTarget } = await createBench()
    const export2 = exportOf('goatcounter-export-2.csv')
    await run(export2)
    await run('--pageviews', export2)
    const longer = `${await readFile(export2, 'utf8')}menu,,true,,,,,0,,,,,false,2026-05-02T00:00:00Z\n`
    await run(await fileWith('longer.csv', longer))
    expect(byTarget()).toEqual({ 'signup-button': 2, 'page: /': 1, menu: 1 })
    expect(server.clicks.size).toBe(4)
  })

  test('of an unknown version is refused', async () => {
    const { run } = await createBench()
    const { code, stderr } = await run('--format', 'goatcounter', await fileWith('v3.csv', '3Path,Title\n/,Home\n'))
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('of version 1 or 2') })
  })
})

describe("Matomo's visits", () => {
  const visits = exportOf('matomo-visits.ndjson')

  test('become a click for each event, outlink and download', async () => {
    const { run, clicks } = await createBench()
    const { code, stdout } = await run(visits)
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining('4 clicks accepted, 0 lines rejected'),
    })
    const visit = { visitorId: '3c5a1d7e9b20f4a6', referrer: 'https://www.google.com/', country: 'DE' }
    expect(clicks()).toEqual([
      {
        ...{ ...visit, target: 'Video: Play', occurredAt: '2026-05-01T10:00:12.000Z' },
        ...{ url: 'https://shop.example/prices', props: { name: 'Intro', value: 30 } },
      },
      {
        ...{ ...visit, target: 'outbound: github.com/example/shop', occurredAt: '2026-05-01T10:00:40.000Z' },
        props: { url: 'https://github.com/example/shop?tab=readme' },
      },
      {
        ...{ ...visit, target: 'download: /files/price-list.pdf', occurredAt: '2026-05-01T10:00:55.000Z' },
        props: { url: 'https://shop.example/files/price-list.pdf' },
      },
      {
        ...{ target: 'Menu: Open', occurredAt: '2026-05-02T10:00:00.000Z' },
        ...{ visitorId: '0000000000000001', url: 'https://shop.example/' },
      },
    ])
  })

  test('change nothing when they are imported again, in another order and with a visit that went on', async () => {
    const { run, server } = await createBench()
    await run(visits)
    const [first = '', second = ''] = (await readFile(visits, 'utf8')).trimEnd().split('\n')
    const action = '{"type":"event","eventCategory":"Menu","eventAction":"Close","timestamp":1777716060}'
    await run(await fileWith('again.ndjson', [second.replace('}],', `},${action}],`), first].join('\n')))
    expect(server.clicks.size).toBe(5)
  })

  test('that are broken are reported, and do not affect others', async () => {
    const { run, server } = await createBench()
    const lines = [
      '{"actionDetails":',
      '{"actionDetails":7}',
      '{"actionDetails":[null,{"type":"event","eventCategory":"a","eventAction":"b","timestamp":"soon"}]}',
      '{"idSite":1,"idVisit":1,"actionDetails":[{"type":"event","eventCategory":"\\ud800","timestamp":1777629600}]}',
    ]
    const { code, stdout } = await run('--format', 'matomo', await fileWith('broken.ndjson', lines.join('\n')))
    expect({ code, stdout }).toMatchObject({ code: 1, stdout: expect.stringContaining('1 clicks accepted, 3 lines') })
    expect([...server.clicks.values()]).toMatchObject([{ target: '\ufffd' }])
  })
})

test('an interrupted import of counts goes on with the row in which it stopped', async () => {
  const { run, server } = await createBench()
  const file = await fileWith(
    'large.csv',
    'date,name,link_url,path,visitors,events\n2026-05-01,a,,,1,700\n2026-05-01,b,,,1,900\n',
  )
  server.faults.push({ status: 401 })
  expect((await run(file)).code).toBe(1)
  expect((await run(file)).code).toBe(0)
  expect(server.clicks.size).toBe(1_600)
})

test('where an import goes on is never within a row that is several clicks', async () => {
  const file = await fileWith(
    'ends.csv',
    'date,name,link_url,path,visitors,events\n2026-05-01,a,,,1,700\n2026-05-01,b,,,1,900\n',
  )
  const batches = importBatches({
    inputs: [await findInput(file, process.stdin)],
    format: 'plausible',
    choices: {
      source: '',
      pageviews: false,
      timeZone: 'UTC',
      visitorKey: () => Promise.reject(new Error('not a log')),
    },
    onFormat: () => {},
    starts: [startOfText],
    signal: new AbortController().signal,
  })
  const ends = (await Array.fromAsync(batches)).map(({ count, end }) => [count, end.lines])
  expect(ends).toEqual([
    [500, 0],
    [500, 2],
    [500, 2],
    [100, 3],
  ])
})

test('docs/importing.md says what each export brings and lacks', async () => {
  const guide = (await readFile(join(import.meta.dirname, '../../docs/importing.md'), 'utf8')).replaceAll(/\s+/g, ' ')
  for (const { name, brings, lacks } of Object.values(accounts)) {
    for (const text of [name, brings, lacks]) expect(guide).toContain(text)
  }
})
