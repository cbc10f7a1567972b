import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { patience } from '@clicktally/testing/patience.ts'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { AcceptLog } from '../accept-log.ts'
import { AnswerWatch } from '../answer-watch.ts'

/** Replaces the api, since a real one gives no wrong answers on demand. */
class FakeApi {
  /** Counted clicks by target. */
  readonly counted = new Map<string, number>()
  /** Clicks on other targets, counted before the watch started. */
  before = 10
  dead = 0
  /** In flight, according to the balance. */
  inFlight = 0
  asOfMs: number | null = null
  /** `knownThrough` of the balance. */
  knownThroughMs: number | null = null
  /** Answers every request if set. */
  instead: ((response: ServerResponse) => void) | undefined
  /** Requests by path. */
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

const nothing = { accepted: 0, counted: 0, duplicates: 0, dead: 0, discarded: 0, inFlight: 0, overdue: 0 }
const paths = ['/v1/counts', '/v1/counts/top', '/v1/balance']
const startMs = Date.now() - 60_000

function click(id: number, target: string) {
  return { id: String(id), target }
}

/**
 * Watches an api that has counted three clicks, accepted at 1, 2 and 3 s, and whose asOf is 5 s.
 *
 * @param prepare changes the api or the log before the first request
 */
async function startWatch(prepare: (api: FakeApi, log: AcceptLog) => void = () => {}) {
  const api = new FakeApi()
  const log = new AcceptLog()
  log.accept([click(1, 'a')], startMs + 1_000)
  log.accept([click(2, 'b')], startMs + 2_000)
  log.accept([click(3, 'b')], startMs + 3_000)
  api.counted.set('a', 1).set('b', 2)
  api.asOfMs = startMs + 5_000
  prepare(api, log)
  const before = { atMs: startMs, counted: 10, balance: { ...nothing, accepted: 10, counted: 10 } }
  const watch = new AnswerWatch({
    key: 'ct_test',
    endpoints: [await api.listen()],
    log,
    before,
    pauseMs: 5,
    firstAnswerWithinMs: 0,
  })
  onTestFinished(() => watch.stop())
  return { api, log, watch }
}

type Watched = Awaited<ReturnType<typeof startWatch>>

/** Waits until each request has been repeated, so that none from before is still open. */
async function untilAskedAgain({ api }: Watched): Promise<void> {
  const before = { ...api.asked }
  await vi.waitFor(() => {
    for (const path of paths) expect(api.asked[path] ?? 0).toBeGreaterThan((before[path] ?? 0) + 4)
  }, patience)
}

async function judge({ watch }: Watched, dead: string[] = []) {
  await watch.stop()
  const { counts, balance, problems } = watch.judge(dead)
  expect(counts.answers).toBeGreaterThan(0)
  expect(balance.answers).toBeGreaterThan(0)
  return { counts: counts.wrong > 0, balance: balance.wrong > 0, problems: problems.join('\n') }
}

const correct = { counts: false, balance: false, problems: '' }

describe('the answer watch', () => {
  test('accepts answers that contain every click accepted before asOf', async () => {
    const watched = await startWatch()
    await untilAskedAgain(watched)
    expect(await judge(watched)).toEqual(correct)
  })

  test('does not require clicks accepted at asOf or later', async () => {
    const watched = await startWatch((_, log) => log.accept([click(4, 'a'), click(5, 'c')], startMs + 5_000))
    await untilAskedAgain(watched)
    expect(await judge(watched)).toEqual(correct)
  })

  test('reports an answer without a click accepted before asOf', async () => {
    const watched = await startWatch((_, log) => log.accept([click(4, 'a')], startMs + 4_999))
    await untilAskedAgain(watched)
    const { problems, ...wrong } = await judge(watched)
    expect(wrong).toEqual({ counts: true, balance: true })
    expect(problems).toMatch(/returned asOf .*, but lacks 1 clicks accepted before it/)
  })

  test('reports a missing click even if a later click on another target makes the sum correct', async () => {
    const watched = await startWatch((api, log) => {
      log.accept([click(4, 'a')], startMs + 4_999)
      log.accept([click(5, 'c')], startMs + 6_000)
      api.counted.set('c', 1)
    })
    await untilAskedAgain(watched)
    expect(await judge(watched)).toMatchObject({ counts: true, balance: false })
  })

  test('reports a click missing from counts, but accepts a balance that has it in flight', async () => {
    const watched = await startWatch((api, log) => {
      log.accept([click(4, 'a')], startMs + 4_999)
      api.inFlight = 1
    })
    await untilAskedAgain(watched)
    expect(await judge(watched)).toMatchObject({ counts: true, balance: false })
  })

  test('reports a balance without a click accepted before knownThrough, even if asOf is earlier', async () => {
    const watched = await startWatch((api, log) => {
      log.accept([click(4, 'a')], startMs + 5_500)
      api.knownThroughMs = startMs + 6_000
    })
    await untilAskedAgain(watched)
    expect(await judge(watched)).toMatchObject({ counts: false, balance: true })
  })

  test('requires dead clicks in the balance, but not in counts', async () => {
    const prepare = (api: FakeApi, log: AcceptLog) => {
      log.accept([click(4, 'a')], startMs + 4_000)
      api.dead = 1
    }
    const watched = await startWatch(prepare)
    await untilAskedAgain(watched)
    expect(await judge(watched, ['4'])).toEqual(correct)
    const forgetful = await startWatch((api, log) => {
      prepare(api, log)
      api.dead = 0
    })
    await untilAskedAgain(forgetful)
    expect(await judge(forgetful, ['4'])).toMatchObject({ counts: false, balance: true })
  })

  test('reports an asOf in the future', async () => {
    const watched = await startWatch((api) => {
      api.asOfMs = Date.now() + 3_600_000
    })
    await untilAskedAgain(watched)
    const { problems, ...wrong } = await judge(watched)
    expect(wrong).toEqual({ counts: true, balance: true })
    expect(problems).toContain('ms in the future')
  })

  test('reports a wrong answer even if later answers are correct', async () => {
    const watched = await startWatch((_, log) => log.accept([click(4, 'a')], startMs + 4_000))
    await untilAskedAgain(watched)
    watched.api.counted.set('a', 2)
    await untilAskedAgain(watched)
    expect(await judge(watched)).toMatchObject({ counts: true, balance: true })
  })

  test('ignores errors and answers without asOf, and reports that nothing could be checked', async () => {
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
      counts: { answers: 0, wrong: 0 },
      balance: { answers: 0, wrong: 0 },
      problems: ['the api gave no answer that could be checked'],
    })
  })

  test('does not compare the totals of a cached answer whose asOf is before the start of the watch', async () => {
    const watched = await startWatch((api) => {
      api.before = 3
      api.asOfMs = startMs - 1
    })
    await untilAskedAgain(watched)
    expect(await judge(watched)).toEqual(correct)
  })

  test('reports an invalid answer', async () => {
    const watched = await startWatch()
    await untilAskedAgain(watched)
    watched.api.instead = (response) => response.writeHead(200).end('{"total":"many","meta":{"asOf":null}}')
    await untilAskedAgain(watched)
    const { problems } = await judge(watched)
    expect(problems).toContain('an answer to /v1/counts is invalid: many is not a number')
  })
})

describe('the log of accepted clicks', () => {
  test('keeps the time of the first 202 of each click, by target', () => {
    const log = new AcceptLog()
    log.accept([click(1, 'a'), click(2, 'b')], 1_000)
    log.accept([click(1, 'a'), click(3, 'a')], 2_000)
    expect([log.acceptedBefore(1_000), log.acceptedBefore(1_001), log.acceptedBefore(9_000)]).toEqual([0, 2, 3])
    expect(log.acceptedBefore(1_500, ['a'])).toBe(1)
    expect([log.acceptedOn('a'), log.acceptedOn('b'), log.acceptedOn('c')]).toEqual([2, 1, 0])
    expect(log.without(['3', '1']).acceptedBefore(9_000, ['a'])).toBe(0)
  })

  test('keeps its times sorted when the clock is set back', () => {
    const log = new AcceptLog()
    log.accept([click(1, 'a')], 5_000)
    log.accept([click(2, 'a')], 1_000)
    expect(log.acceptedBefore(5_000)).toBe(0)
    expect(log.acceptedBefore(5_001)).toBe(2)
  })
})
