import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { visitorIdFor } from '@clicktally/access-log/visitor-id.ts'
import { checkClick } from '@clicktally/event/click-check.ts'
import { TargetCounts } from '@clicktally/requests/target-counts.ts'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { AccessLog } from '../access-log.ts'
import type { Click } from '../click.ts'
import { Timeline } from '../timeline.ts'

const visitorKey = Buffer.alloc(32, 7)

const endMs = Date.parse('2025-11-21T10:00:00.500Z')
const signal = new AbortController().signal
const browser = 'Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0'
const crawler = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'

let folder: string
let files = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clicktally-demo-'))
})

afterAll(() => rm(folder, { recursive: true }))

function line(path: string, second: number, { referrer = '-', agent = browser } = {}): string {
  const clock = new Date(second * 1000).toISOString().slice(11, 19)
  return `192.0.2.${second % 250} - - [17/May/2015:${clock} +0000] "GET ${path} HTTP/1.1" 200 5 "${referrer}" "${agent}"`
}

async function fileWith(content: string | Buffer): Promise<string> {
  const path = join(folder, `${files++}`)
  await writeFile(path, content)
  return path
}

async function openLog(content: string | Buffer): Promise<AccessLog> {
  const log = await AccessLog.open(await fileWith(content), visitorKey)
  onTestFinished(() => log.close())
  return log
}

async function read(log: AccessLog) {
  const survey = await log.survey(signal, () => {})
  const clicks = await Array.fromAsync(log.clicks(new Timeline(survey.firstMs, survey.lastMs, endMs)))
  return { survey, clicks }
}

function countsOf(clicks: Click[]): TargetCounts {
  const counts = new TargetCounts()
  for (const { target, bot } of clicks) counts.add(target, bot ? 0 : 1, bot ? 1 : 0)
  return counts
}

describe('an access log', () => {
  it('becomes clicks, one a line', async () => {
    const { clicks } = await read(
      await openLog(`${line('/a?x=1', 10, { referrer: 'https://e.com/' })}\n${line('/b', 12, { agent: crawler })}\n`),
    )
    expect(clicks).toEqual([
      {
        id: expect.stringMatching(/-7[0-9a-f]{3}-[89ab]/),
        target: '/a',
        occurredAt: '2025-11-21T09:59:58.500Z',
        visitorId: visitorIdFor('192.0.2.10', visitorKey),
        referrer: 'https://e.com/',
        userAgent: browser,
      },
      {
        id: expect.stringMatching(/-7[0-9a-f]{3}-[89ab]/),
        target: '/b',
        occurredAt: '2025-11-21T10:00:00.500Z',
        visitorId: visitorIdFor('192.0.2.12', visitorKey),
        userAgent: crawler,
        bot: true,
      },
    ])
    expect(clicks[0]?.visitorId).toMatch(/^[0-9a-f]{16}$/)
  })

  it('is the same, plain or gzip, whatever its name, in one gzip member or in several', async () => {
    const text = Array.from({ length: 5_000 }, (_, second) => line(`/${second % 300}`, second)).join('\n')
    const half = text.indexOf('\n', text.length / 2) + 1
    const plain = await read(await openLog(text))
    const gzip = await read(await openLog(gzipSync(text)))
    const members = Buffer.concat([gzipSync(text.slice(0, half)), gzipSync(text.slice(half))])
    expect(plain.clicks).toHaveLength(5_000)
    expect(gzip.clicks).toEqual(plain.clicks)
    expect((await read(await openLog(members))).clicks).toEqual(plain.clicks)
  })

  it('gives the same ids each time it is read, and equal lines ids of their own', async () => {
    const log = await openLog(`${line('/a', 1)}\n${line('/a', 1)}\n`)
    const { clicks } = await read(log)
    expect((await read(log)).clicks).toEqual(clicks)
    expect(new Set(clicks.map(({ id }) => id)).size).toBe(2)
  })

  it('is counted as it is sent', async () => {
    const paths = ['/a', '/b?x', `/${'é'.repeat(300)}`, '/a', 'nonsense']
    const text = paths.map((path, second) => line(path, second, { agent: second === 3 ? crawler : browser })).join('\n')
    const { survey, clicks } = await read(await openLog(text))
    expect(survey.counts.top(9)).toEqual(countsOf(clicks).top(9))
    expect(survey.counts).toMatchObject({ people: 4, bots: 1, size: 4 })
  })

  it('becomes clicks that the contract takes, whatever a line holds', async () => {
    const strange = [
      '/\0',
      `/${'é'.repeat(300)}`,
      '/😀'.repeat(150),
      String.raw`/\x00\"`,
      '/\u202e',
      '/\ud800',
      '*',
      '',
    ]
    const referrers = ['-', 'x'.repeat(3_000), '😀'.repeat(1_500), 'no address']
    const text = strange.flatMap((path) => referrers.map((referrer, second) => line(path, second, { referrer })))
    const { clicks } = await read(await openLog(text.join('\n')))
    expect(clicks).toHaveLength(strange.length * referrers.length)
    for (const click of clicks) {
      const receivedAtMs = endMs
      const receipt = {
        projectId: 1,
        requestId: 'r',
        receivedAtMs,
        startedAtMs: receivedAtMs,
        windowMs: 72 * 3_600_000,
        isServer: true,
        makeId: () => '',
      }
      expect(checkClick(click, receipt)).toMatchObject({ click: { id: click.id, target: click.target } })
    }
  })

  it('need not be in order', async () => {
    const { survey, clicks } = await read(await openLog([line('/b', 50), line('/c', 90), line('/a', 20)].join('\n')))
    expect(survey.lastMs - survey.firstMs).toBe(70_000)
    expect(clicks.map(({ occurredAt }) => endMs - Date.parse(occurredAt))).toEqual([40_000, 0, 70_000])
  })

  it('may have lines that can not be read, which are counted; blank ones are none', async () => {
    const { survey, clicks } = await read(await openLog(`${line('/a', 1)}\n\nwhat?\r\n\r\n???\n${line('/b', 2)}`))
    expect(survey).toMatchObject({ unreadable: 2, firstUnreadable: { lineNumber: 3, line: 'what?\r' } })
    expect(clicks.map(({ target }) => target)).toEqual(['/a', '/b'])
  })

  it('may hold U+0000, bytes that are no UTF-8, and a line longer than any request', async () => {
    const bytes = Buffer.concat([
      Buffer.alloc(3_000_000),
      Buffer.from(`${line('/a\0b', 1)}\n${'x'.repeat(3_000_000)}\n`),
      Buffer.from(line('/caf\xe9', 2), 'latin1'),
    ])
    const { survey, clicks } = await read(await openLog(bytes))
    expect(clicks.map(({ target }) => target).at(-1)).toBe('/caf\ufffd')
    expect(JSON.stringify(clicks)).not.toContain(String.raw`\u0000`)
    expect(survey.unreadable + survey.counts.clicks).toBe(3)
  })

  it('is read as far as it went when it was opened, though a server goes on writing', async () => {
    const path = await fileWith(`${line('/a', 1)}\n`)
    const log = await AccessLog.open(path, visitorKey)
    onTestFinished(() => log.close())
    const { survey } = await read(log)
    await appendFile(path, `${line('/b', 2)}\n`)
    expect(survey.counts.clicks).toBe(1)
    expect((await read(log)).clicks.map(({ target }) => target)).toEqual(['/a'])
  })

  it('may be one line without an end', async () => {
    const { clicks } = await read(await openLog(line('/a', 1)))
    expect(clicks).toMatchObject([{ target: '/a', occurredAt: new Date(endMs).toISOString() }])
  })
})

describe('what is no access log', () => {
  it('is named, with the reason', async () => {
    await expect(AccessLog.open(join(folder, 'missing.log'), visitorKey)).rejects.toThrow(
      "can't be read: there is no such file",
    )
    await expect(AccessLog.open(folder, visitorKey)).rejects.toThrow('is not an ordinary file')
    await expect(openLog('')).rejects.toThrow('is empty')
    for (const content of ['hello\nworld\n', gzipSync('hello\n'), Buffer.alloc(100_000, 0xff)]) {
      const log = await openLog(content)
      await expect(log.survey(signal, () => {})).rejects.toThrow('is not an access log')
    }
  })

  it('is a gzip file that is cut off or damaged', async () => {
    const bytes = gzipSync(Array.from({ length: 2_000 }, (_, second) => line(`/${second * 7919}`, second)).join('\n'))
    const cutOff = await openLog(bytes.subarray(0, bytes.length - 20))
    await expect(cutOff.survey(signal, () => {})).rejects.toThrow('its gzip data ends too early')
    const damaged = Buffer.from(bytes)
    damaged.fill(0xff, 200, 260)
    await expect((await openLog(damaged)).survey(signal, () => {})).rejects.toThrow('its gzip data is damaged')
  })

  it('stops being one when it is emptied', async () => {
    const path = await fileWith(line('/a', 1))
    const log = await AccessLog.open(path, visitorKey)
    onTestFinished(() => log.close())
    await truncate(path)
    await expect(log.survey(signal, () => {})).rejects.toThrow('is not an access log')
  })
})
