import { describe, expect, test } from 'vitest'
import { createApi, keys } from './api-under-test.ts'

const paths = ['/v1/counts', '/v1/counts/series?interval=day&from=2026-03-01&to=2026-03-03', '/v1/counts/top']

/** Reports that everything before this time is counted. */
async function createFreshApi() {
  const api = await createApi()
  const reportAsOf = (time: Date) =>
    api.owner.query(
      `insert into processor_progress (processor, name, counted_through, connections)
       values ('019c0000-0000-7000-8000-000000000001', 'p', $1, '{}')
       on conflict (processor) do update set counted_through = excluded.counted_through`,
      [time],
    )
  const get = async (url: string, ifNoneMatch?: string) => {
    const headers = { authorization: `Bearer ${keys.read.text}`, ...(ifNoneMatch && { 'if-none-match': ifNoneMatch }) }
    const { statusCode, headers: sent, body } = await api.app.inject({ url, headers })
    return { status: statusCode, headers: sent, body }
  }
  return { ...api, reportAsOf, getAs: get }
}

describe('an answer with counts', () => {
  test.each(paths)('of %s is not sent again while the counts are the same; its asOf is', async (path) => {
    const { getAs, count, reportAsOf } = await createFreshApi()
    await count({ minute: '2026-03-01T10:00Z', total: 3 })
    const asOf = new Date(Date.now() - 60_000)
    await reportAsOf(asOf)
    const first = await getAs(path)
    const tag = String(first.headers.etag)
    expect([first.status, first.headers['clicktally-as-of']]).toEqual([200, asOf.toISOString()])
    const later = new Date(asOf.getTime() + 30_000)
    await reportAsOf(later)
    const again = await getAs(path, `"other", ${tag}`)
    expect([again.status, again.body, again.headers.etag]).toEqual([304, '', tag])
    expect(again.headers['clicktally-as-of']).toBe(later.toISOString())
    expect(again.headers['cache-control']).toBe(first.headers['cache-control'])
    await count({ minute: '2026-03-02T10:00Z' })
    const changed = await getAs(path, tag)
    expect(changed.status).toBe(200)
    expect(changed.headers.etag).not.toBe(tag)
  })

  test('has another tag for another range with the same counts', async () => {
    const { getAs } = await createFreshApi()
    const tag = String((await getAs('/v1/counts?from=2026-03-01')).headers.etag)
    expect((await getAs('/v1/counts?from=2026-03-02', tag)).status).toBe(200)
    expect((await getAs('/v1/counts?from=2026-03-01', tag.slice('W/'.length))).status).toBe(304)
    expect((await getAs('/v1/counts?from=2026-03-01', '*')).status).toBe(304)
  })

  test('is not revalidated for a key that may not read it', async () => {
    const { app, getAs } = await createFreshApi()
    const tag = String((await getAs('/v1/counts')).headers.etag)
    const headers = { authorization: `Bearer ${keys.write.text}`, 'if-none-match': tag }
    expect((await app.inject({ url: '/v1/counts', headers })).statusCode).toBe(403)
  })

  test('is kept for longer once its range is closed and counted', async () => {
    const { getAs, reportAsOf } = await createFreshApi()
    const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000)
    const kept = async (query: string) => {
      const { headers } = await getAs(`/v1/counts?${query}`)
      return [headers['cache-control'], headers['x-accel-expires']]
    }
    const [open, closed] = [
      ['private, max-age=1', '1'],
      ['private, max-age=300', '10'],
    ]
    const before = `to=${daysAgo(4).toISOString()}`
    expect(await kept(before)).toEqual(open)
    await reportAsOf(daysAgo(5))
    expect(await kept(before)).toEqual(open)
    await reportAsOf(new Date())
    expect(await kept(before)).toEqual(closed)
    expect(await kept(`to=${daysAgo(2).toISOString()}`)).toEqual(open)
    expect(await kept('from=2026-03-01')).toEqual(open)
    const compared = `compareFrom=${daysAgo(3).toISOString()}&compareTo=${daysAgo(1).toISOString()}`
    expect(await kept(`${before}&${compared}`)).toEqual(open)
  })
})
