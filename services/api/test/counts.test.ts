import { describe, expect, test } from 'vitest'
import { createApi } from './api-under-test.ts'

describe('GET /v1/counts', () => {
  test('counts people and bots apart, and visitors once however many minutes they clicked in', async () => {
    const api = await createApi()
    await api.count(
      { minute: '2026-03-01T10:00Z', total: 3, bots: 1, visitors: ['a', 'b'] },
      { minute: '2026-03-01T10:01Z', total: 2, visitors: ['b', 'c'] },
      { minute: '2026-03-01T10:01Z', target: 'other', total: 5, visitors: ['a'] },
    )
    const { status, body, headers } = await api.get('/v1/counts')
    expect(status).toBe(200)
    expect(body).toMatchObject({ total: 10, bots: 1, visitors: 3, meta: { tz: 'UTC', source: 'counters' } })
    expect(headers['cache-control']).toBe('private, max-age=1')
    expect(headers['x-accel-expires']).toBe('1')
  })

  test('nothing counted is zero, not an error', async () => {
    const api = await createApi()
    expect((await api.get('/v1/counts?target=nobody')).body).toMatchObject({ total: 0, bots: 0, visitors: 0 })
  })

  test('filters by several targets, with commas and backslashes in them', async () => {
    const api = await createApi()
    for (const target of ['a', 'b', 'c', 'x,y', 'w\\z']) await api.count({ minute: '2026-03-01T10:00Z', target })
    const total = async (target: string) =>
      (await api.get(`/v1/counts?target=${encodeURIComponent(target)}`)).body.total
    expect(await total('a')).toBe(1)
    expect(await total('a,b,a')).toBe(2)
    expect(await total('x\\,y,c')).toBe(2)
    expect(await total('w\\\\z')).toBe(1)
    expect(await total('x')).toBe(0)
  })

  test('the range is half-open, in whole minutes, and the answer says which', async () => {
    const api = await createApi()
    for (const minute of ['10:00', '10:01', '10:02']) await api.count({ minute: `2026-03-01T${minute}Z` })
    const { body } = await api.get('/v1/counts?from=2026-03-01T10:01:00Z&to=2026-03-01T10:02:00Z')
    expect(body.total).toBe(1)
    const rounded = await api.get('/v1/counts?from=2026-03-01T11:01:30%2B01:00&to=2026-03-01T10:02:00.001Z')
    expect(rounded.body).toMatchObject({
      total: 2,
      meta: { from: '2026-03-01T10:01:00.000Z', to: '2026-03-01T10:03:00.000Z' },
    })
  })

  test('a date begins at midnight in the zone', async () => {
    const api = await createApi()
    for (const minute of ['2026-10-24T21:59Z', '2026-10-24T22:00Z', '2026-10-25T22:59Z', '2026-10-25T23:00Z'])
      await api.count({ minute })
    const { body } = await api.get('/v1/counts?from=2026-10-25&to=2026-10-26&tz=Europe/Paris')
    expect(body).toMatchObject({
      total: 2,
      meta: { tz: 'Europe/Paris', from: '2026-10-24T22:00:00.000Z', to: '2026-10-25T23:00:00.000Z' },
    })
    expect((await api.get('/v1/counts')).body.meta).toMatchObject({ tz: 'UTC', from: null, to: null })
  })

  test('filters by the beginning of targets, folded or not', async () => {
    const api = await createApi()
    for (const target of ['blog', 'blog/a', 'blog/b', 'blog0', 'a%b', 'a_b', 'axb', 'Blog/a'])
      await api.count({ minute: '2026-03-01T10:00Z', target, visitors: ['one', target] })
    const counted = async (prefix: string) => {
      const { body } = await api.get(`/v1/counts?targetPrefix=${encodeURIComponent(prefix)}`)
      return [body.total, body.visitors]
    }
    expect(await counted('blog')).toEqual([4, 5])
    expect(await counted('blog/')).toEqual([2, 3])
    expect(await counted('a%')).toEqual([1, 2])
    expect(await counted('a_')).toEqual([1, 2])
    expect((await api.get('/v1/counts/top?targetPrefix=blog/')).body.targets.length).toBe(2)
  })

  test('an error names what was sent and what is accepted', async () => {
    const api = await createApi()
    const detail = async (path: string) => (await api.get(`/v1/${path}`)).body.detail
    expect(await detail('counts/series?interval=second')).toBe(
      '"interval" must be minute, hour, day, week, month, quarter, year, and not "second".',
    )
    expect(await detail('counts/series')).toMatch(/^"interval" is required and must be minute, hour, /)
    expect(await detail('counts?since=2026')).toMatch(
      /^There is no parameter "since" here\. Known .* target, .*from, to/,
    )
    expect(await detail('counts?from=2026')).toMatch(/^"from" is "2026"\. It must be a date such as/)
    expect(await detail('counts/top?limit=5000')).toMatch(/^"limit" must be <= 1000, and not "5000"\.$/)
  })

  test('another method is refused with those that the path supports', async () => {
    const api = await createApi()
    const answer = await api.app.inject({ method: 'POST', url: '/v1/counts' })
    expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  test('estimates visitors within a few per cent where there are more than it keeps hashes', async () => {
    const api = await createApi()
    const people = Array.from({ length: 20_000 }, (_, index) => `visitor-${index}`)
    await api.count(
      { minute: '2026-03-01T10:00Z', visitors: people.slice(0, 12_000) },
      { minute: '2026-03-01T10:01Z', visitors: people.slice(8_000) },
    )
    const { body } = await api.get('/v1/counts')
    // Four standard errors of 2.2 %; the hashes are fixed, so the same each time.
    expect(Math.abs(body.visitors - 20_000)).toBeLessThan(20_000 * 0.09)
    const exactly = await api.get('/v1/counts?to=2026-03-01T00:00:00Z')
    expect(exactly.body.visitors).toBe(0)
  })

  test('visitors are merged across months, days and hours, and late clicks are included', async () => {
    const api = await createApi()
    const people = Array.from({ length: 30_000 }, (_, index) => `visitor-${index}`)
    const visitors = async () => (await api.get('/v1/counts?from=2026-02-03T04:05:00Z')).body.visitors
    // Three standard errors of 2.2 %; the hashes are fixed, so the same each time.
    const near = (count: number) => expect.closeTo(count, -Math.log10(2 * count * 0.066))
    await api.count(
      { minute: '2026-02-03T04:30Z', visitors: people.slice(0, 5_000) },
      { minute: '2026-02-03T07:00Z', visitors: people.slice(3_000, 8_000) },
      { minute: '2026-02-20T00:00Z', visitors: people.slice(6_000, 12_000) },
      { minute: '2026-04-10T12:00Z', visitors: people.slice(0, 18_000) },
    )
    await api.owner.query('select fold_counters()')
    expect(await visitors()).toEqual(near(18_000))
    expect(await visitors()).toEqual(near(18_000))
    await api.count({ minute: '2026-04-11T12:00Z', visitors: people.slice(17_000) })
    expect(await visitors()).toEqual(near(30_000))
    await api.owner.query('select fold_counters()')
    expect(await visitors()).toEqual(near(30_000))
  })

  test.each([
    '/v1/counts?from=2026-03-01&to=9999-12-31T23:59:59Z',
    '/v1/counts/series?interval=year&from=0001-06-01&to=0005-01-01&tz=Asia/Tokyo',
    '/v1/counts/series?interval=month&to=0001-02-01',
    '/v1/counts?from=0001-01-01&to=0001-03-01&compare=previous',
    '/v1/counts/by/country?from=0001-01-01&to=9999-12-31T23:59:59Z',
    '/v1/events?from=0001-01-01&to=9999-12-31T23:59:59Z',
  ])('%s is answered, and so is any time that has a year of four digits', async (path) => {
    const api = await createApi()
    const { status, body } = await api.get(path)
    expect({ status, body }).toMatchObject({ status: 200 })
    expect(JSON.stringify(body)).not.toMatch(/"[+-]\d{6}-/)
  })

  test.each([
    ['from=yesterday', 'time_invalid', 'from'],
    ['from=2026-03-01T00:00:00+01:00', 'time_invalid', 'from'],
    ['from=2026-02-30', 'time_invalid', 'from'],
    ['from=0000-01-01', 'time_invalid', 'from'],
    ['from=0001-01-01&tz=Asia/Tokyo', 'time_invalid', 'from'],
    ['to=2026-03-01&tz=Nowhere', 'time_zone_unknown', 'tz'],
    ['targetPrefix=', 'parameter_invalid', 'targetPrefix'],
    ['targetPrefix=a&target=b', 'parameter_invalid', 'targetPrefix'],
    ['from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z', 'range_empty', 'to'],
    ['target=', 'parameter_invalid', 'target'],
    ['target=%00', 'parameter_invalid', 'target'],
    [`target=${Array.from({ length: 101 }, (_, index) => index)}`, 'parameter_invalid', 'target'],
    ['nonsense=1', 'parameter_unknown', 'nonsense'],
  ])('refuses %s', async (query, code, field) => {
    const api = await createApi()
    const { status, type, body } = await api.get(`/v1/counts?${query}`)
    expect(status).toBe(422)
    expect(type).toBe('application/problem+json')
    expect(body).toMatchObject({ code, field, status: 422, retryable: false })
  })
})

describe('meta', () => {
  test('is null while no processor has ever run', async () => {
    const api = await createApi()
    expect((await api.get('/v1/counts')).body.meta).toMatchObject({ asOf: null, lagMs: null })
  })

  test('is the minimum of all rows, however long a processor has been silent', async () => {
    const api = await createApi()
    const lag = async () => (await api.get('/v1/counts')).body.meta.lagMs
    await api.owner.query(`insert into processor_progress (processor, name, counted_through, connections, reported_at) values
      (gen_random_uuid(), 'fast', now(), '{}', now()),
      (gen_random_uuid(), 'slow', now() - interval '2 minutes', '{}', now()),
      (gen_random_uuid(), 'gone', now() - interval '3 minutes', '{}', now() - interval '3 hours')`)
    expect(await lag()).toBeGreaterThanOrEqual(180_000)
    expect(await lag()).toBeLessThan(240_000)
    await api.owner.query(`delete from processor_progress where name = 'gone'`)
    expect(await lag()).toBeGreaterThanOrEqual(120_000)
    expect(await lag()).toBeLessThan(180_000)
  })

  test('is null while a processor does not know its time', async () => {
    const api = await createApi()
    await api.owner.query(`insert into processor_progress (processor, name, counted_through, connections) values
      (gen_random_uuid(), 'new', '-infinity', '{}'), (gen_random_uuid(), 'old', now(), '{}')`)
    expect((await api.get('/v1/counts')).body.meta).toMatchObject({ asOf: null, lagMs: null })
  })

  test('is never ahead of the clock of the api', async () => {
    const api = await createApi()
    await api.owner.query(`insert into processor_progress (processor, name, counted_through, connections) values
      (gen_random_uuid(), 'ahead', now() + interval '1 hour', '{}')`)
    const { meta } = (await api.get('/v1/counts')).body
    expect(Date.parse(meta.asOf)).toBeLessThanOrEqual(Date.now())
    expect(meta.lagMs).toBe(0)
  })
})
