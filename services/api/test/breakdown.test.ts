import type { Click } from '@clicktally/event/click.ts'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { describe, expect, test } from 'vitest'
import { createApiOverClicks } from './stored-clicks.ts'

const hourMs = 3_600_000
/** A few hours ago, when its hour is over. */
const fourAgo = Math.floor(Date.now() / hourMs - 4)
/** Not the first hour of a day: from midnight on, the previous range is the same part of the day before. */
const hour = new Date((fourAgo % 24 === 0 ? fourAgo - 1 : fourAgo) * hourMs)
const at = (minute: number, rest: Partial<Click>) =>
  createClick({ occurredAtMs: hour.getTime() + minute * 60_000, ...rest })
const ofHour = `from=${hour.toISOString()}&to=${new Date(hour.getTime() + hourMs).toISOString()}`

async function createPacked() {
  const api = await createApiOverClicks()
  await api.store([
    at(0, { country: 'DE', visitorId: 'ann', props: { plan: 'pro' } }),
    at(1, { country: 'DE', visitorId: 'ann' }),
    at(2, { country: 'FR', visitorId: 'bob', target: 'menu' }),
    at(3, { country: 'FR', bot: true }),
    at(4, { url: 'https://shop.example/a,b' }),
  ])
  await api.fold()
  await api.pack()
  return api
}

describe('GET /v1/counts/by/{dimension}', () => {
  test('lists values by total with their share, and clicks without a value as the empty value', async () => {
    const { get } = await createPacked()
    const { body } = await get(`/v1/counts/by/country?${ofHour}&visitors=true`)
    expect(body).toMatchObject({
      ...{ dimension: 'country', total: 4, bots: 1, nextCursor: null, other: { total: 0, bots: 0 } },
      values: [
        { value: 'DE', total: 2, bots: 0, share: 0.5, visitors: 1 },
        { value: '', total: 1, bots: 0, share: 0.25, visitors: 0 },
        { value: 'FR', total: 1, bots: 1, share: 0.25, visitors: 1 },
      ],
      meta: { source: 'columns' },
    })
  })

  test('reads the raw clicks of an hour until it is packed', async () => {
    const api = await createPacked()
    const source = async () => (await api.get(`/v1/counts/by/country?${ofHour}`)).body
    await api.store([at(5, { country: 'JP' })])
    expect(await source()).toMatchObject({ total: 5, meta: { source: 'clicks' } })
    await api.fold()
    expect(await source()).toMatchObject({ total: 5, meta: { source: 'clicks' } })
    await api.pack()
    expect(await source()).toMatchObject({ total: 5, meta: { source: 'columns' } })
  })

  test('has the props that the project has declared, also for hours that were packed before', async () => {
    const api = await createPacked()
    const plans = (query = '') => api.get(`/v1/counts/by/props.plan?${ofHour}${query}`)
    expect((await plans()).body.values).toMatchObject([
      { value: '', total: 3 },
      { value: 'pro', total: 1 },
    ])
    expect((await api.get(`/v1/counts/by/props.size?${ofHour}`)).body.code).toBe('dimension_unknown')
    await api.owner.query(`update projects set dimensions = '{plan,size}'`)
    const { body } = await api.get(`/v1/counts/by/props.size?${ofHour}`)
    expect(body).toMatchObject({ values: [{ value: '', total: 4 }], meta: { source: 'clicks' } })
  })

  test('finds values that came when the dimension had no more ids: in a filter, and together as "other"', async () => {
    const api = await createPacked()
    await api.owner.query(`insert into dimension_values values (1, 'country', 100001, 'ZZ')`)
    await api.store([at(5, { country: 'JP', visitorId: 'eve' }), at(6, { country: 'JP', bot: true })])
    await api.fold()
    await api.pack()
    const { body } = await api.get(`/v1/counts/by/country?${ofHour}`)
    expect(body).toMatchObject({
      ...{ total: 5, other: { total: 1, bots: 1 }, meta: { source: 'columns' } },
      values: [{ value: 'DE' }, { value: '' }, { value: 'FR' }],
    })
    const japanese = await api.get(`/v1/counts?${ofHour}&filter=country:is:JP`)
    expect(japanese.body).toMatchObject({ total: 1, bots: 1, visitors: 1, meta: { source: 'clicks' } })
    expect((await api.get(`/v1/counts?${ofHour}&filter=country:is:DE`)).body.meta.source).toBe('columns')

    // Without the raw clicks nobody knows which of the others are Japanese.
    await api.owner.query('update raw_clicks set complete_since = now()')
    const archived = async (condition: string) =>
      (await api.get(`/v1/counts?${ofHour}&filter=country:${condition}`)).body
    expect(await archived('is:JP')).toMatchObject({ total: 0, bots: 0, meta: { missing: 2 } })
    expect(await archived('not:JP')).toMatchObject({ total: 4, meta: { missing: 2 } })
    expect((await archived('is:DE')).meta).not.toHaveProperty('missing')
  })

  test('says how many clicks may be missing if raw clicks were dropped before they were packed', async () => {
    const api = await createPacked()
    await api.store([at(6, { country: 'JP' })])
    await api.fold()
    await api.owner.query('update raw_clicks set complete_since = now()')
    const { body } = await api.get(`/v1/counts/by/country?${ofHour}`)
    expect(body).toMatchObject({ total: 4, meta: { source: 'columns', missing: 1 } })

    // Also of the range with which another one is compared.
    const later = `from=${new Date(hour.getTime() + hourMs).toISOString()}&to=${new Date(hour.getTime() + 2 * hourMs).toISOString()}`
    const compared = `filter=country:not:FR&${later}&${ofHour.replace('from', 'compareFrom').replace('to', 'compareTo')}`
    for (const path of ['/v1/counts?', '/v1/counts/series?interval=hour&']) {
      const { body } = await api.get(`${path}${compared}`)
      expect(body.meta, path).toMatchObject({ missing: 1 })
    }
  })

  test('counts only the clicks of the project of the key', async () => {
    const api = await createPacked()
    await api.owner.query(`insert into projects (id, name) values (2, 'other')`)
    await api.store([at(7, { projectId: 2, country: 'JP' })])
    await api.fold()
    await api.pack()
    const { body } = await api.get(`/v1/counts/by/country?${ofHour}&project=other`)
    expect(body).toMatchObject({ total: 1, values: [{ value: 'JP' }] })
  })

  test('refuses a question with too many clicks, and says how many days would fit', async () => {
    const api = await createPacked()
    await api.count({ minute: '2026-03-01T00:00Z', total: 40_000_000 })
    const { status, body } = await api.get('/v1/counts/by/country?from=2026-03-01&to=2026-03-31')
    expect({ status, ...body }).toMatchObject({ status: 422, code: 'question_too_large', field: 'from' })
    expect(body.detail).toContain('18 days')
    const unpacked = await api.get('/v1/counts/by/country?to=2026-02-01')
    expect(unpacked.status).toBe(200)
    await api.count({ minute: '2026-01-01T00:00Z', total: 2_000_000 })
    const waiting = await api.get('/v1/counts/by/country?to=2026-02-01')
    expect(waiting.body).toMatchObject({ status: 503, code: 'columns_not_ready', retryable: true })
  })
})

describe('GET /v1/counts/by', () => {
  test('lists the dimensions that the project has, with those of its props, each of which can be asked', async () => {
    const api = await createPacked()
    const names = async () => {
      const { dimensions } = (await api.get('/v1/counts/by')).body as { dimensions: { name: string }[] }
      return dimensions.map(({ name }) => name)
    }
    expect(await names()).toEqual(expect.arrayContaining(['target', 'country', 'utm_source', 'props.plan']))
    await api.owner.query(`update projects set dimensions = '{size}'`)
    expect(await names()).toContain('props.size')
    expect(await names()).not.toContain('props.plan')
    for (const name of await names()) {
      expect([name, (await api.get(`/v1/counts/by/${name}?${ofHour}`)).status]).toEqual([name, 200])
    }
  })
})

describe('the parameter "filter"', () => {
  test('chooses clicks by one or several values, or the lack of one, and all conditions have to be met', async () => {
    const { get } = await createPacked()
    for (const [query, total] of [
      ['filter=country:is:DE', 2],
      ['filter=country:not:DE', 2],
      ['filter=country:is:', 1],
      ['filter=country:is:DE,FR&filter=target:is:menu', 1],
      ['filter=country:is:DE&target=menu', 0],
      ['filter=country:is:DE&targetPrefix=but', 2],
      ['filter=path:is:/a\\,b', 1],
      ['filter=props.plan:is:pro', 1],
      ['filter=country:is:XX', 0],
    ]) {
      const counts = await get(`/v1/counts?${ofHour}&${query}`)
      const { points } = (await get(`/v1/counts/series?${ofHour}&interval=hour&${query}`)).body
      const { targets } = (await get(`/v1/counts/top?${ofHour}&${query}`)).body
      const ofTargets = targets.reduce((sum: number, each: { total: number }) => sum + each.total, 0)
      expect([query, counts.body.total, points[0].total, ofTargets]).toEqual([query, total, total, total])
    }
  })

  test('compares the targets of a page with another range, with the same conditions', async () => {
    const api = await createPacked()
    const before = (minute: number, rest: Partial<Click>) => at(minute - 60, rest)
    await api.store([
      before(1, { country: 'DE' }),
      before(2, { country: 'FR' }),
      before(3, { target: 'old', country: 'DE' }),
    ])
    await api.fold()
    const { body } = await api.get(`/v1/counts/top?${ofHour}&filter=country:not:FR&compare=previous`)
    expect(body).toMatchObject({
      targets: [{ target: createClick().target, total: 3, comparison: { total: 1, bots: 0 } }],
      comparison: { from: new Date(hour.getTime() - hourMs).toISOString(), to: hour.toISOString() },
    })
    const none = await api.get(`/v1/counts/top?${ofHour}&filter=country:is:XX&compare=previous`)
    expect(none.body).toMatchObject({ targets: [], comparison: {} })
  })

  test('is refused if it has another form, an unknown dimension or too many values', async () => {
    const { get } = await createApiOverClicks()
    for (const [text, code] of [
      ['country', 'parameter_invalid'],
      ['country:DE', 'parameter_invalid'],
      ['colour:is:red', 'dimension_unknown'],
      ['props.size:is:1', 'dimension_unknown'],
      [`country:is:${Array.from({ length: 101 }, (_, index) => index)}`, 'parameter_invalid'],
      ['country:is:%00', 'parameter_invalid'],
    ]) {
      const { status, body } = await get(`/v1/counts?filter=${text}`)
      expect({ text, status, code: body.code, field: body.field }).toEqual({ text, status: 422, code, field: 'filter' })
    }
  })
})

test('readers see each stored batch completely or not at all, while it is folded and packed', async () => {
  const api = await createApiOverClicks()
  let open = true
  const repeat = async (act: (turn: number) => Promise<unknown>) => {
    for (let turn = 0; open; turn += 1) await act(turn)
  }
  const work = [
    repeat(() => api.fold()),
    repeat(() => api.pack()),
    (async () => {
      for (let turn = 0; turn < 150; turn += 1) {
        await api.store(['DE', 'JP'].map((country) => at(turn % 60, { country, target: `t${turn % 7}` })))
      }
      open = false
    })(),
  ]
  const sources = new Set<string>()
  let before = 0
  while (open) {
    const { body } = await api.get(`/v1/counts/by/country?${ofHour}`)
    const [a, b] = body.values
    expect(a?.total).toBe(b?.total)
    expect(body.meta).not.toHaveProperty('missing')
    expect(body.total).toBeGreaterThanOrEqual(before)
    before = body.total
    sources.add(body.meta.source)
  }
  await Promise.all(work)
  await api.fold()
  await api.pack()
  expect((await api.get(`/v1/counts/by/country?${ofHour}`)).body).toMatchObject({
    total: 300,
    meta: { source: 'columns' },
  })
  expect(sources).toContain('clicks')
})
