import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { AcceptLog } from '../accept-log.ts'
import { AnswerWatch } from '../answer-watch.ts'

/** In place of the api: it is the watch that is tested, and no real api lies on demand. */
class StandInApi {
  /** What it believes to have counted of each target. */
  readonly counted = new Map<string, number>()
  /** Clicks that it has counted of other targets, before the watch began. */
  before = 10
  dead = 0
  /** What the balance says is in flight. */
  inFlight = 0
  asOfMs: number | null = null
  /** What the balance says beside it. */
  knownThroughMs: number | null = null
  /** Answered instead, where it is set. */
  instead: ((response: ServerResponse) => void) | undefined
  /** Questions answered, by path. */
  readonly asked: Record<string, number> = {}

  async listen(): Promise<string> {
    const server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://api')
      this.asked[pathname] = (this.asked[pathname] ?? 0) + 1
      if (this.instead !== undefined) return this.instead(response)
      const targets = searchParams.get('target')?.split(',')
      const body = this.#answer(pathname, targets)
      const meta = { asOf: this.asOfMs === null ? null : new Date(this.asOfMs).toISOString() }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...body, meta }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  #answer(pathname: string, targets: string[] | undefined): object {
    const rows = [...this.counted].filter(([target]) => targets?.includes(target) ?? true)
    const total = rows.reduce((sum, [, clicks]) => sum + clicks, targets === undefined ? this.before : 0)
    if (pathname === '/v1/counts') return { total: total - 1, bots: 1, visitors: 0 }
    if (pathname === '/v1/counts/top')
      return { targets: rows.map(([target, clicks]) => ({ target, total: clicks, bots: 0 })) }
    const { dead, inFlight, knownThroughMs } = this
    const knownThrough = knownThroughMs === null ? null : new Date(knownThroughMs).toISOString()
    return {
      knownThrough,

      accepted: total + dead + inFlight,
      counted: total,
      duplicates: 0,
      dead,
      discarded: 0,
      inFlight,
      overdue: 0,
    }
  }
}

const patience = { timeout: 120_000, interval: 10 }
const nothing = { accepted: 0, counted: 0, duplicates: 0, dead: 0, discarded: 0, inFlight: 0, overdue: 0 }
const questions = ['/v1/counts', '/v1/counts/top', '/v1/balance']
const startMs = Date.now() - 60_000

function click(id: number, target: string) {
  return { id: String(id), target }
}

/**
 * A watch on an api that has counted all of three clicks, accepted at 1, 2 and 3 s, and says that it knows until 5 s.
 *
 * @param prepare makes it another story before the first question
 */
async function startWatch(prepare: (api: StandInApi, log: AcceptLog) => void = () => {}) {
  const api = new StandInApi()
  const log = new AcceptLog()
  log.accept([click(1, 'a')], startMs + 1_000)
  log.accept([click(2, 'b')], startMs + 2_000)
  log.accept([click(3, 'b')], startMs + 3_000)
  api.counted.set('a', 1).set('b', 2)
  api.asOfMs = startMs + 5_000
  prepare(api, log)
  const before = { atMs: startMs, counted: 10, balance: { ...nothing, accepted: 10, counted: 10 } }
  const watch = new AnswerWatch({ doors: [await api.listen()], log, before, pauseMs: 5 })
  onTestFinished(() => watch.stop())
  return { api, log, watch }
}

type Watched = Awaited<ReturnType<typeof startWatch>>

/** Until each question has been asked again that may have been on its way. */
async function untilAskedAgain({ api }: Watched): Promise<void> {
  const before = { ...api.asked }
  await vi.waitFor(() => {
    for (const path of questions) expect(api.asked[path] ?? 0).toBeGreaterThan((before[path] ?? 0) + 4)
  }, patience)
}

async function judge({ watch }: Watched, dead: string[] = []) {
  await watch.stop()
  const { counts, balance, problems } = watch.judge(dead)
  expect(counts.answers).toBeGreaterThan(0)
  expect(balance.answers).toBeGreaterThan(0)
  return { counts: counts.lies > 0, balance: balance.lies > 0, problems: problems.join('\n') }
}

const honest = { counts: false, balance: false, problems: '' }

describe('the watch over the answers', () => {
  test('believes an api that has counted what was accepted before its asOf', async () => {
    const watched = await startWatch()
    await untilAskedAgain(watched)
    expect(await judge(watched)).toEqual(honest)
  })

  test('does not ask for what was accepted at asOf or later', async () => {
    const watched = await startWatch((_, log) => log.accept([click(4, 'a'), click(5, 'c')], startMs + 5_000))
    await untilAskedAgain(watched)
    expect(await judge(watched)).toEqual(honest)
  })

  test('calls an asOf a lie that has passed a click that is in no count', async () => {
    const watched = await startWatch((_, log) => log.accept([click(4, 'a')], startMs + 4_999))
    await untilAskedAgain(watched)
    const { problems, ...lies } = await judge(watched)
    expect(lies).toEqual({ counts: true, balance: true })
    expect(problems).toMatch(/answered asOf .*, and 1 clicks accepted before it were missing/)
  })

  test('calls it a lie where a later click on another target makes up for it in the sum', async () => {
    const watched = await startWatch((api, log) => {
      log.accept([click(4, 'a')], startMs + 4_999)
      log.accept([click(5, 'c')], startMs + 6_000)
      api.counted.set('c', 1)
    })
    await untilAskedAgain(watched)
    expect(await judge(watched)).toMatchObject({ counts: true, balance: false })
  })

  test('calls a balance a lie that has nothing in flight where a click is missing, and believes one that has', async () => {
    const watched = await startWatch((api, log) => {
      log.accept([click(4, 'a')], startMs + 4_999)
      api.inFlight = 1
    })
    await untilAskedAgain(watched)
    expect(await judge(watched)).toMatchObject({ counts: true, balance: false })
  })

  test('calls a balance a lie that says to be known through a later time than its asOf, and is not', async () => {
    const watched = await startWatch((api, log) => {
      log.accept([click(4, 'a')], startMs + 5_500)
      api.knownThroughMs = startMs + 6_000
    })
    await untilAskedAgain(watched)
    expect(await judge(watched)).toMatchObject({ counts: false, balance: true })
  })

  test('does not look for dead clicks in counts, but in the balance', async () => {
    const tell = (api: StandInApi, log: AcceptLog) => {
      log.accept([click(4, 'a')], startMs + 4_000)
      api.dead = 1
    }
    const watched = await startWatch(tell)
    await untilAskedAgain(watched)
    expect(await judge(watched, ['4'])).toEqual(honest)
    const forgetful = await startWatch((api, log) => {
      tell(api, log)
      api.dead = 0
    })
    await untilAskedAgain(forgetful)
    expect(await judge(forgetful, ['4'])).toMatchObject({ counts: false, balance: true })
  })

  test('calls an asOf in the future a lie, whatever is counted', async () => {
    const watched = await startWatch((api) => {
      api.asOfMs = Date.now() + 3_600_000
    })
    await untilAskedAgain(watched)
    const { problems, ...lies } = await judge(watched)
    expect(lies).toEqual({ counts: true, balance: true })
    expect(problems).toContain('ms in the future')
  })

  test('calls a short lie a lie though the truth is told afterwards', async () => {
    const watched = await startWatch((_, log) => log.accept([click(4, 'a')], startMs + 4_000))
    await untilAskedAgain(watched)
    watched.api.counted.set('a', 2)
    await untilAskedAgain(watched)
    expect(await judge(watched)).toMatchObject({ counts: true, balance: true })
  })

  test('takes errors and answers without asOf for no claim, and says that there was nothing to check', async () => {
    const watched = await startWatch((api) => {
      api.counted.clear()
      api.asOfMs = null
    })
    await untilAskedAgain(watched)
    watched.api.instead = (response) =>
      response.writeHead(503).end('{"total":0,"meta":{"asOf":"2030-01-01T00:00:00Z"}}')
    await untilAskedAgain(watched)
    watched.api.instead = (response) => response.destroy()
    await untilAskedAgain(watched)
    await watched.watch.stop()
    expect(watched.watch.judge([])).toEqual({
      counts: { answers: 0, lies: 0 },
      balance: { answers: 0, lies: 0 },
      problems: ['no answer was there to be checked'],
    })
  })

  test('does not ask an answer as of before the watch, as a cache may have it, for what was counted by then', async () => {
    const watched = await startWatch((api) => {
      api.before = 3
      api.asOfMs = startMs - 1
    })
    await untilAskedAgain(watched)
    expect(await judge(watched)).toEqual(honest)
  })

  test('tells of an answer that makes no sense', async () => {
    const watched = await startWatch()
    await untilAskedAgain(watched)
    watched.api.instead = (response) => response.writeHead(200).end('{"total":"many","meta":{"asOf":null}}')
    await untilAskedAgain(watched)
    const { problems } = await judge(watched)
    expect(problems).toContain('an answer to /v1/counts cannot be read: many is not a number')
  })
})

describe('the log of accepted clicks', () => {
  test('keeps a click at the time of its first 202, and knows each target', () => {
    const log = new AcceptLog()
    log.accept([click(1, 'a'), click(2, 'b')], 1_000)
    log.accept([click(1, 'a'), click(3, 'a')], 2_000)
    expect([log.acceptedBefore(1_000), log.acceptedBefore(1_001), log.acceptedBefore(9_000)]).toEqual([0, 2, 3])
    expect(log.acceptedBefore(1_500, ['a'])).toBe(1)
    expect([log.acceptedOn('a'), log.acceptedOn('b'), log.acceptedOn('c')]).toEqual([2, 1, 0])
    expect(log.without(['3', '1']).acceptedBefore(9_000, ['a'])).toBe(0)
  })

  test('owes nothing early when the clock is set back', () => {
    const log = new AcceptLog()
    log.accept([click(1, 'a')], 5_000)
    log.accept([click(2, 'a')], 1_000)
    expect(log.acceptedBefore(5_000)).toBe(0)
    expect(log.acceptedBefore(5_001)).toBe(2)
  })
})
