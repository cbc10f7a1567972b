import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { createBench, drain, keys, pageOrigin } from '@clicktally/ingest/test/ingest-under-test.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Click, ClickSender, type Drop, type SenderOptions } from '../index.ts'
import { type Fault, FaultyProxy, type ProxiedRequest } from './faulty-proxy.ts'

const hourMs = 3_600_000

/** A sender, and a real ingest behind a proxy with these faults: of the first requests, or of each one. */
async function createSender(
  faults: Fault[] | ((request: ProxiedRequest) => Fault) = [],
  options: Partial<SenderOptions> = {},
) {
  const { app, broker } = await createBench()
  const ingest = await app.listen({ host: '127.0.0.1', port: 0 })
  const faultOf = typeof faults === 'function' ? faults : () => faults.shift() ?? 'none'
  const proxy = await FaultyProxy.start(ingest, faultOf)
  const dropped: { click: Click; drop: Drop }[] = []
  const sender = new ClickSender({
    ...{ url: proxy.url, key: keys.secret.text, onDrop: (click, drop) => dropped.push({ click, drop }) },
    ...options,
  })
  onTestFinished(() => sender.close({ timeoutMs: 0 }))
  const { requests } = proxy
  return { sender, proxy, requests, dropped, clicks: async () => (await drain(broker)).clicks }
}

function sizes(requests: readonly ProxiedRequest[]): number[] {
  return requests.map(({ ids }) => ids.length)
}

describe('a click', () => {
  test('is sent with its fields, at the time of the call', async () => {
    const { sender, clicks } = await createSender()
    const beforeMs = Date.now()
    const fields = {
      visitorId: 'ann',
      url: 'https://shop.example/',
      referrer: '',
      props: { plan: 'pro', n: 1 },
      bot: true,
    }
    const id = sender.click('signup "ä"', fields)
    expect(id).toSatisfy(isUuidV7)
    expect(timeOfUuidV7(id)).toBeGreaterThanOrEqual(beforeMs)
    expect(timeOfUuidV7(id)).toBeLessThanOrEqual(Date.now())
    await sender.flush()
    expect(await clicks()).toMatchObject([{ id, target: 'signup "ä"', occurredAtMs: timeOfUuidV7(id), ...fields }])
  })

  test('leaves after a second', async () => {
    const { sender, requests } = await createSender()
    const startedAtMs = performance.now()
    sender.click('alone')
    await vi.waitFor(() => expect(sizes(requests)).toEqual([1]), patience)
    expect((requests[0]?.atMs ?? 0) - startedAtMs).toBeGreaterThan(990)
  })

  test('leaves at once when 100 are waiting', async () => {
    const { sender, requests } = await createSender([], { flushAfterMs: 3_600_000 })
    for (let n = 0; n < 100; n += 1) sender.click('together')
    await vi.waitFor(() => expect(sizes(requests)).toEqual([100]), patience)
  })

  test('is sent with a write key as a page sends it: without a preflight', async () => {
    const fromPage: typeof fetch = (url, init) =>
      fetch(url, { ...init, headers: { ...(init?.headers as object), origin: pageOrigin } })
    const { sender, requests, clicks } = await createSender([], { key: keys.write.text, fetch: fromPage })
    const id = sender.click('signup')
    await sender.flush()
    expect(requests).toMatchObject([{ path: `/v1/c?key=${keys.write.text}`, type: 'text/plain' }])
    expect(await clicks()).toMatchObject([{ id, target: 'signup' }])
  })

  test('keeps the values of its fields at the time of the call', async () => {
    const { sender, clicks } = await createSender()
    const props = { step: 1 }
    sender.click('wizard', { props })
    props.step = 2
    await sender.flush()
    expect(await clicks()).toMatchObject([{ props: { step: 1 } }])
  })
})

describe('a batch', () => {
  test.each<[what: string, Fault]>([
    ['the connection is cut', 'cut'],
    ['the response is lost', 'lose'],
    ['nothing is answered in time', 'hang'],
    ['the answer is 503', { status: 503 }],
    ['the answer is 429', { status: 429 }],
    ['the answer is 502', { status: 502 }],
  ])('is sent again unchanged if %s', async (_, fault) => {
    const { sender, requests, dropped, clicks } = await createSender([fault, fault], { timeoutMs: 1_500 })
    const ids = ['a', 'b', 'c'].map((target) => sender.click(target))
    await sender.flush()
    expect(requests.map(({ body }) => body)).toEqual(Array.from({ length: 3 }, () => requests[0]?.body))
    expect(new Set((await clicks()).map(({ id }) => id))).toEqual(new Set(ids))
    expect(dropped).toEqual([])
  })

  test('waits as long as Retry-After says, in seconds or until a date', async () => {
    const until = new Date(Date.now() + 3_000).toUTCString()
    const { sender, requests } = await createSender([
      { status: 503, retryAfter: '2' },
      { status: 429, retryAfter: until },
    ])
    sender.click('patient')
    await sender.flush()
    expect((requests[1]?.atMs ?? 0) - (requests[0]?.atMs ?? 0)).toBeGreaterThan(1_990)
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until))
    expect(requests).toHaveLength(3)
  })

  test('has at most 500 clicks and one megabyte', async () => {
    const { sender, requests, clicks } = await createSender([{ status: 503 }])
    const text = 'x'.repeat(1_000)
    const props = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`text${n}`, text]))
    for (let n = 0; n < 150; n += 1) sender.click('large', { props })
    for (let n = 0; n < 600; n += 1) sender.click('small')
    await sender.flush()
    expect(Math.max(...sizes(requests))).toBe(500)
    expect(Math.max(...requests.map(({ body }) => body.length))).toBeLessThan(1_048_576)
    expect(await clicks()).toHaveLength(750)
  })
})

describe('a click is dropped, and onDrop is called,', () => {
  test('if the server rejects it; the others are accepted', async () => {
    const { sender, dropped, clicks } = await createSender()
    const id = sender.click('')
    sender.click('good')
    sender.click('huge', { props: Object.fromEntries(Array.from({ length: 31 }, (_, n) => [`p${n}`, n])) })
    await sender.flush()
    expect((await clicks()).map(({ target }) => target)).toEqual(['good'])
    expect(dropped.map(({ click }) => click.target)).toEqual(['', 'huge'])
    expect(dropped[0]).toMatchObject({ click: { id }, drop: { code: expect.stringMatching(/./) } })
    sender.click('')
    await sender.flush()
    expect(dropped).toHaveLength(3)
  })

  test('if the key is refused', async () => {
    const { sender, requests, dropped } = await createSender([], { key: keys.read.text })
    sender.click('a')
    sender.click('b')
    await sender.flush()
    expect(dropped.map(({ drop }) => drop.code)).toEqual(['right_missing', 'right_missing'])
    expect(requests).toHaveLength(1)
  })

  test('if too many are waiting', async () => {
    const { sender, dropped, clicks } = await createSender(['hang'], { maxQueued: 150, timeoutMs: 1_500 })
    const ids = Array.from({ length: 200 }, (_, n) => sender.click(`t${n}`))
    expect(dropped.map(({ click }) => click.id)).toEqual(ids.slice(150))
    expect(dropped[0]?.drop).toEqual({ code: 'queue_full', detail: '150 clicks are waiting.' })
    await sender.flush()
    expect((await clicks()).map(({ id }) => id)).toEqual(ids.slice(0, 150))
    // There is room again.
    sender.click('later')
    await sender.flush()
    expect(await clicks()).toHaveLength(1)
  })

  test('if close() has waited long enough', async () => {
    const { sender, dropped, clicks } = await createSender(() => ({ status: 503 }))
    const id = sender.click('too late')
    const startedAtMs = performance.now()
    await sender.close({ timeoutMs: 700 })
    expect(performance.now() - startedAtMs).toBeLessThan(5_000)
    sender.click('after close')
    expect(dropped.map(({ click, drop }) => [click.target, drop.code])).toEqual([
      ['too late', 'closed'],
      ['after close', 'closed'],
    ])
    expect(dropped[0]?.click.id).toBe(id)
    expect(await clicks()).toEqual([])
  })

  test('even if onDrop throws: the clicks behind it are sent', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => void error.mockRestore())
    const onDrop = () => {
      throw new Error('of the caller')
    }
    const { sender, clicks } = await createSender([], { onDrop })
    sender.click('')
    await sender.flush()
    sender.click('good')
    await sender.flush()
    expect(await clicks()).toHaveLength(1)
    expect(error).toHaveBeenCalledOnce()
  })

  test('with a warning on the console, unless onDrop is given', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    onTestFinished(() => void warn.mockRestore())
    const sender = new ClickSender({ url: 'http://127.0.0.1:9', key: 'ct_s_key' })
    await sender.close()
    sender.click('signup')
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      'Clicktally: a click on "signup" was dropped: closed. The sender is closed.',
    )
  })
})

describe('a wrong clock', () => {
  /** Sends two clicks, one after the other, on a device whose clock is wrong. The outcome is what it has dropped. */
  async function sendFromDevice(url: string, shiftMs: number): Promise<{ click: Click; drop: Drop }[]> {
    const program = `
      import { ClickSender } from ${JSON.stringify(join(import.meta.dirname, '../index.ts'))}
      const dropped = []
      const onDrop = (click, drop) => dropped.push({ click, drop })
      const sender = new ClickSender({ url: '${url}', key: '${keys.secret.text}', onDrop })
      for (const target of ['first', 'second']) {
        sender.click(target)
        await sender.flush()
      }
      console.log(JSON.stringify(dropped))`
    const clock = join(import.meta.dirname, '../../../test/faults/preload/clock-shift.ts')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', clock, '--input-type=module', '--eval', program],
      { env: { CLOCK_SHIFT_MS: String(shiftMs) } },
    )
    return JSON.parse(stdout)
  }

  test.each([
    ['fast by two days', 48 * hourMs],
    ['slow by four days', -96 * hourMs],
  ])('that is %s is found out, and the clicks are accepted with their right time', async (_, shiftMs) => {
    const { proxy, clicks, requests } = await createSender()
    expect(await sendFromDevice(proxy.url, shiftMs)).toEqual([])
    const accepted = await clicks()
    expect(accepted.map(({ target }) => target)).toEqual(['first', 'second'])
    for (const { occurredAtMs } of accepted) expect(Math.abs(occurredAtMs - Date.now())).toBeLessThan(60_000)
    // The first click twice: its id had the wrong time.
    expect(sizes(requests)).toEqual([1, 1, 1])
  })

  test('does not change the id of a click that may have been accepted before', async () => {
    const { proxy, requests } = await createSender(['lose'])
    const dropped = await sendFromDevice(proxy.url, 48 * hourMs)
    expect(dropped).toMatchObject([{ click: { target: 'first' }, drop: { code: 'id_in_future' } }])
    expect(requests[1]?.ids).toEqual(requests[0]?.ids)
  })
})

test('`await using` sends what is queued', async () => {
  const { proxy, clicks } = await createSender([{ status: 503 }])
  {
    await using sender = new ClickSender({ url: proxy.url, key: keys.secret.text })
    sender.click('last')
  }
  expect((await clicks()).map(({ target }) => target)).toEqual(['last'])
})
