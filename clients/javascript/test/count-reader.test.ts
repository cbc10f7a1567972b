import { createApi, keys } from '@clicktally/api/test/api-under-test.ts'
import type { ClickEvent } from '@clicktally/event/click-event.ts'
import type * as operations from '@clicktally/operations/read-operations.ts'
import { expect, expectTypeOf, test } from 'vitest'
import {
  type ClickFields,
  ClicktallyError,
  CountReader,
  type Counts,
  type Interval,
  type ReaderOptions,
  type Receipt,
  type Series,
  type Top,
} from '../index.ts'
import { type Fault, FaultyProxy } from './faulty-proxy.ts'

async function createReader(faults: Fault[] = [], options: Partial<ReaderOptions> = {}) {
  const { app, count } = await createApi()
  const proxy = await FaultyProxy.start(
    await app.listen({ host: '127.0.0.1', port: 0 }),
    () => faults.shift() ?? 'none',
  )
  await count(
    { target: 'signup', minute: '2026-03-01T10:00Z', total: 5, bots: 1, visitors: ['ann', 'bob'] },
    { target: 'a,b\\', minute: '2026-03-02T10:00Z', total: 3 },
    { target: 'blog/1', minute: '2026-03-02T10:00Z', total: 2 },
  )
  return { reader: new CountReader({ url: proxy.url, key: keys.read.text, ...options }), proxy }
}

test('counts, series, top and receipts are read', async () => {
  const { reader } = await createReader()
  expect(await reader.counts()).toMatchObject({ total: 10, bots: 1, visitors: 2, meta: { tz: 'UTC' } })
  expect((await reader.counts({ target: 'a,b\\' })).total).toBe(3)
  expect((await reader.counts({ target: ['signup', 'a,b\\'] })).total).toBe(8)
  expect((await reader.counts({ targetPrefix: 'blog/', from: new Date('2026-03-02T00:00:00Z') })).total).toBe(2)
  const range = { from: '2026-03-01', to: '2026-03-03', tz: 'Asia/Kathmandu' }
  const { points, meta } = await reader.series({ interval: 'day', visitors: true, ...range })
  expect(points.map(({ total, visitors }) => [total, visitors])).toEqual([
    [5, 2],
    [5, 0],
  ])
  expect(meta.tz).toBe('Asia/Kathmandu')
  const first = await reader.top({ limit: 2 })
  expect(first.targets.map(({ target }) => target)).toEqual(['signup', 'a,b\\'])
  const rest = await reader.top({ limit: 2, cursor: first.nextCursor ?? '' })
  expect(rest).toMatchObject({ targets: [{ target: 'blog/1', total: 2 }], nextCursor: null })
  expect(await reader.receipt('01a1fbf9-47c2-790c-9f4f-1b848ca0e748')).toMatchObject({ status: 'not_seen' })
})

test('a query is repeated if it is not answered, or refused for now', async () => {
  const { reader, proxy } = await createReader(['cut', { status: 503, retryAfter: '1' }])
  expect((await reader.counts()).total).toBe(10)
  expect(proxy.requests).toHaveLength(3)
})

test('a query that fails throws an error that says why', async () => {
  const failure = async (read: Promise<unknown>) => {
    const error: unknown = await read.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ClicktallyError)
    const { status, code, retryable, message } = error as ClicktallyError
    return { status, code, retryable, message }
  }
  const { reader, proxy } = await createReader([], { retries: 0 })
  expect(await failure(reader.counts({ tz: 'Europe/Pari' }))).toMatchObject({
    ...{ status: 422, code: 'time_zone_unknown', retryable: false, message: expect.stringContaining('Europe/Pari') },
  })
  const other = new CountReader({ url: proxy.url, key: keys.write.text })
  expect(await failure(other.top())).toMatchObject({ status: 403, code: 'right_missing', retryable: false })
  const nowhere = new CountReader({ url: 'http://127.0.0.1:9', key: 'ct_r_', retries: 0 })
  expect(await failure(nowhere.counts())).toMatchObject({ status: 0, code: 'no_answer', retryable: true })
  const elsewhere = new CountReader({ url: `${proxy.url}/docs`, key: keys.read.text })
  expect(await failure(elsewhere.counts())).toMatchObject({ status: 404 })
})

test('the types are those of the api', () => {
  expectTypeOf<operations.Counts>().toExtend<Counts>()
  expectTypeOf<operations.Series>().toExtend<Series>()
  expectTypeOf<operations.Top>().toExtend<Top>()
  expectTypeOf<operations.ClickReceipt>().toExtend<Receipt>()
  expectTypeOf<ClickFields>().toExtend<Omit<ClickEvent, 'target'>>()
  expectTypeOf<operations.Interval>().toEqualTypeOf<Interval>()
})
