import { createDatabase } from '@clicktally/database/connection.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { clickProperties } from '@clicktally/operations/read/click-operations.ts'
import { describe, expect, test } from 'vitest'
import { clickConditions } from '../clicks/click-conditions.ts'
import { newestClicks } from '../clicks/newest-clicks.ts'
import { openApiDocument } from '../openapi/openapi-document.ts'
import { createApi, keys } from './api-under-test.ts'
import { type StoredClick, storeClicks } from './raw-click-rows.ts'

type Api = Awaited<ReturnType<typeof createApi>>
const asRead = { authorization: `Bearer ${keys.read.text}` }

/** All ids that a query lists, page by page. */
async function listed({ get }: Api, query: string): Promise<string[]> {
  const ids: string[] = []
  let cursor = ''
  do {
    const { status, body } = await get(`/v1/events?${query}${cursor}`)
    expect(status).toBe(200)
    ids.push(...body.clicks.map(({ id }: { id: string }) => id))
    cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`
  } while (cursor !== '')
  return ids
}

describe('GET /v1/events', () => {
  test('lists each click once, the newest id first, however small the pages', async () => {
    const api = await createApi()
    const times = Array.from({ length: 25 }, (_, n) => new Date(Date.UTC(2026, 2, 1) + n * 5 * 3_600_000).toISOString())
    const ids = await storeClicks(
      api.owner,
      times.map((occurredAt) => ({ occurredAt })),
    )
    const newestFirst = ids.toSorted().toReversed()
    for (const limit of [1, 4, 24, 25, 26]) expect(await listed(api, `limit=${limit}`)).toEqual(newestFirst)
  })

  test('shows a click with everything that is no personal data', async () => {
    const { get, owner } = await createApi()
    const occurredAt = '2026-03-01T10:00:00.250Z'
    const [id] = await storeClicks(owner, [
      { occurredAt, agent: 'aaa', visitorId: 'ann', url: 'https://a.example/x', bot: true },
    ])
    const { body, headers } = await get('/v1/events', asRead)
    expect(body.clicks).toEqual([
      {
        ...{ id, target: 'button', occurredAt, receivedAt: occurredAt, countedAt: expect.any(String), bot: true },
        ...{ country: null, browser: expect.any(String), os: expect.any(String), device: 'Desktop' },
      },
    ])
    expect(body.meta.source).toBe('clicks')
    expect(headers['cache-control']).toBe('no-store')
  })

  test('selects by target and by the time of the click, wherever its id is stored', async () => {
    const api = await createApi()
    const clicks: StoredClick[] = [
      { occurredAt: '2026-03-01T09:59:59.999Z', target: 'early' },
      { occurredAt: '2026-03-01T10:00:00.000Z', target: 'a' },
      { occurredAt: '2026-03-02T23:59:59.999Z', target: 'b/1' },
      { occurredAt: '2026-03-03T00:00:00.000Z', target: 'late' },
      // Backfilled with ids of other days.
      { id: randomUuidV7(Date.UTC(2026, 4, 1)), occurredAt: '2026-03-02T12:00:00Z', target: 'b/2' },
      { id: randomUuidV7(Date.UTC(2026, 2, 2)), occurredAt: '2026-05-01T12:00:00Z', target: 'other' },
    ]
    await storeClicks(api.owner, clicks)
    const targets = async (query: string) => {
      const { body } = await api.get(`/v1/events?${query}`)
      return body.clicks.map(({ target }: { target: string }) => target).sort()
    }
    const range = 'from=2026-03-01T10:00:00Z&to=2026-03-03'
    expect(await targets(range)).toEqual(['a', 'b/1', 'b/2'])
    expect(await targets(`${range}&targetPrefix=b/`)).toEqual(['b/1', 'b/2'])
    expect(await targets(`${range}&target=a,b/2`)).toEqual(['a', 'b/2'])
    expect(await targets('from=2026-04-01')).toEqual(['other'])
  })

  test('selects by dimensions, however small the pages and however few clicks meet the conditions', async () => {
    const api = await createApi()
    await api.owner.query(`update projects set dimensions = '{plan}'`)
    const clicks: StoredClick[] = Array.from({ length: 4_500 }, (_, n) => ({
      target: `t${n % 3}`,
      occurredAt: new Date(Date.UTC(2026, 2, 1, 20) + n * 5_000).toISOString(),
      country: n % 2 === 0 ? 'DE' : n % 5 === 0 ? null : 'AT',
      url: `https://shop.example/${n % 1_000 === 999 ? 'rare' : 'often'}?utm_source=${n % 7 === 0 ? 'a,b' : 'news'}`,
      referrer: n % 11 === 0 ? 'https://www.google.com/' : null,
      props: n % 13 === 0 ? { plan: 'pro' } : null,
    }))
    const ids = await storeClicks(api.owner, clicks)
    const expected = (isWanted: (n: number) => boolean) =>
      ids
        .filter((_, n) => isWanted(n))
        .sort()
        .reverse()
    const conditions: readonly [string, (n: number) => boolean][] = [
      ['filter=path:is:/rare', (n) => n % 1_000 === 999],
      ['filter=country:is:', (n) => n % 2 === 1 && n % 5 === 0],
      ['filter=country:not:DE,', (n) => n % 2 === 1 && n % 5 !== 0],
      ['filter=utm_source:is:a\\,b&filter=referrer:is:google.com', (n) => n % 7 === 0 && n % 11 === 0],
      ['filter=props.plan:is:pro&target=t0', (n) => n % 13 === 0 && n % 3 === 0],
      ['filter=target:not:t0,t1&filter=country:is:DE', (n) => n % 3 === 2 && n % 2 === 0],
    ]
    for (const [query, isWanted] of conditions) {
      const wanted = expected(isWanted)
      expect(wanted.length).toBeGreaterThan(0)
      const smallest = Math.max(1, Math.ceil(wanted.length / 5))
      for (const limit of [smallest, 1_000]) {
        expect(await listed(api, `limit=${limit}&${encodeURI(query)}`)).toEqual(wanted)
      }
      const { payload } = await api.app.inject({
        url: `/v1/export?format=ndjson&${encodeURI(query)}`,
        headers: { authorization: `Bearer ${keys.owner.text}` },
      })
      const exported = payload
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
      expect(exported.map(({ id }) => id)).toEqual(wanted.toReversed())
      // The columns that conditions are read from are not shown.
      expect(Object.keys(exported[0])).not.toContain('url')
    }
  })

  test('ends a page where the search has taken too long, and the next one goes on there', async () => {
    const { owner } = await createApi()
    const clicks = Array.from({ length: 4_500 }, (_, n) => ({
      occurredAt: new Date(Date.UTC(2026, 2, 1, 20) + n * 5_000).toISOString(),
      country: n % 1_500 === 700 ? 'DE' : 'AT',
    }))
    const ids = await storeClicks(owner, clicks)
    const db = createDatabase(owner)
    const conditions = await clickConditions(db, 1, ['country:is:DE'])
    const query = { filter: { projectId: 1, targets: undefined, fromMs: undefined, toMs: undefined }, conditions }
    const found: string[] = []
    let pages = 0
    let before: string | undefined
    do {
      const { rows, next } = await newestClicks(db, query, 100, before, 0)
      found.push(...rows.map(({ id }) => id))
      before = next ?? undefined
      pages += 1
    } while (before !== undefined)
    expect(found).toEqual(
      ids
        .filter((_, n) => n % 1_500 === 700)
        .sort()
        .reverse(),
    )
    // Two days of 2,880 and 1,620 clicks, read in parts of 2,000.
    expect(pages).toBe(3)
  })

  test('refuses a dimension that the project does not have', async () => {
    const { get } = await createApi()
    for (const path of ['/v1/events', '/v1/export?format=csv']) {
      const { status, body } = await get(`${path}${path.includes('?') ? '&' : '?'}filter=props.plan:is:pro`)
      expect([status, body.code, body.field]).toEqual([422, 'dimension_unknown', 'filter'])
    }
  })

  test('shows clicks of its project alone', async () => {
    const { get, owner } = await createApi()
    const { rows } = await owner.query(`insert into projects (name) values ('other') returning id`)
    await storeClicks(owner, [
      { occurredAt: '2026-03-01T10:00Z', target: 'ours' },
      { occurredAt: '2026-03-01T10:00Z', target: 'theirs', projectId: rows[0].id },
    ])
    const targets = async (path: string) =>
      (await get(path)).body.clicks.map(({ target }: { target: string }) => target)
    expect(await targets('/v1/events')).toEqual(['ours'])
    expect(await targets('/v1/events?project=other')).toEqual(['theirs'])
  })

  test('refuses a cursor that is none', async () => {
    const { get } = await createApi()
    for (const cursor of ['x', '019c0000-0000-7000-8000-00000000000', "'; drop"]) {
      const { status, body } = await get(`/v1/events?cursor=${encodeURIComponent(cursor)}`)
      expect([status, body.code]).toEqual([422, 'cursor_invalid'])
    }
  })
})

describe('personal data', () => {
  const personal = { visitorId: 'ann', url: 'https://a.example/x', referrer: null, props: { plan: 'pro' } }

  test('is shown to auditors and owners who ask for it', async () => {
    const { get, owner } = await createApi()
    await storeClicks(owner, [{ occurredAt: '2026-03-01T10:00Z', ...personal }])
    for (const role of ['auditor', 'owner'] as const) {
      const { body } = await get('/v1/events?personal=true', { authorization: `Bearer ${keys[role].text}` })
      expect(body.clicks[0]).toMatchObject(personal)
      const plain = await get('/v1/events', { authorization: `Bearer ${keys[role].text}` })
      expect(Object.keys(personal).filter((name) => name in plain.body.clicks[0])).toEqual([])
    }
    for (const path of ['/v1/events?personal=true', '/v1/export?format=csv&personal=true']) {
      const { status, body } = await get(path, asRead)
      expect([status, body.code]).toEqual([403, 'right_missing'])
    }
  })

  test('is named in the OpenAPI document, property by property', async () => {
    const document = JSON.parse(JSON.stringify(await openApiDocument()))
    const { properties } = document.components.schemas.ClickRecord
    const isPersonal = Object.entries<{ 'x-personal-data': boolean }>(properties).map(([name, schema]) => [
      name,
      schema['x-personal-data'],
    ])
    expect(isPersonal).toEqual(clickProperties.map((property) => [property.name, property.isPersonal]))
    expect(isPersonal.filter(([, personal]) => personal).map(([name]) => name)).toEqual(Object.keys(personal))
  })

  test('about visitors is not readable for the role of the api without the credential of an auditor or owner', async () => {
    const { owner, db } = await createApi()
    const ids = await storeClicks(owner, [{ occurredAt: '2026-03-01T10:00Z', visitorId: 'ann' }])
    const visitors = (credential: string, projectId = 1) =>
      db
        .selectNoFrom((where) =>
          where.fn<string>('click_visitors', [where.val(credential), where.val(projectId), where.val(ids)]).as('row'),
        )
        .execute()
    expect(await visitors(keys.auditor.text)).toHaveLength(1)
    expect(await visitors(keys.owner.text, 2)).toHaveLength(0)
    for (const key of [keys.read, keys.secret, keys.write])
      await expect(visitors(key.text)).rejects.toThrow('auditors and owners')
    for (const text of ['', keys.auditor.hash, `${keys.auditor.text} `]) {
      await expect(visitors(text)).rejects.toThrow('auditors and owners')
    }
    await owner.query('update keys set revoked_at = now() where id = $1', [keys.auditor.id])
    await owner.query('update keys set expires_at = now() where id = $1', [keys.owner.id])
    for (const key of [keys.auditor, keys.owner])
      await expect(visitors(key.text)).rejects.toThrow('auditors and owners')
  })
})
