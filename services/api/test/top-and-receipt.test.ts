import { randomUUID } from 'node:crypto'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'
import { createApi } from './api-under-test.ts'

describe('GET /v1/counts/top', () => {
  test('the most clicked first, equal ones by name, page by page without a gap or an overlap', async () => {
    const api = await createApi()
    for (const [target, total] of [
      ['b', 2],
      ['a', 2],
      ['d', 9],
      ['c', 2],
      ['e', 0],
    ] as const) {
      await api.count({ minute: '2026-03-01T10:00Z', target, total, bots: 1 })
    }
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: { targets: { target: string }[]; nextCursor: string | null } = (
        await api.get(`/v1/counts/top?limit=2${cursor && `&cursor=${cursor}`}`)
      ).body
      seen.push(...page.targets.map(({ target }) => target))
      cursor = page.nextCursor
    }
    expect(seen).toEqual(['d', 'a', 'b', 'c', 'e'])
  })

  test('ranks within the range and the targets asked for', async () => {
    const api = await createApi()
    await api.count(
      { minute: '2026-03-01T10:00Z', target: 'old', total: 100 },
      { minute: '2026-03-02T10:00Z', target: 'new', total: 1 },
      { minute: '2026-03-02T10:00Z', target: 'other', total: 2 },
    )
    const { body } = await api.get('/v1/counts/top?from=2026-03-02T00:00:00Z&target=old,new')
    expect(body).toMatchObject({ targets: [{ target: 'new', total: 1, bots: 0 }], nextCursor: null })
  })

  test.each([
    ['limit=0', 'parameter_invalid', 'limit'],
    ['limit=1001', 'parameter_invalid', 'limit'],
    ['limit=ten', 'parameter_invalid', 'limit'],
    ['cursor=nonsense', 'cursor_invalid', 'cursor'],
    [`cursor=${Buffer.from('["1; drop table clicks","x"]').toString('base64url')}`, 'cursor_invalid', 'cursor'],
  ])('refuses %s', async (query, code, field) => {
    const api = await createApi()
    const { status, body } = await api.get(`/v1/counts/top?${query}`)
    expect([status, body.code, body.field]).toEqual([422, code, field])
  })
})

describe('GET /v1/events/{id}', () => {
  test('shows whether a click is counted, a dead letter or unknown', async () => {
    const api = await createApi()
    const now = Date.now()
    const [counted, dead, unknown] = [randomUuidV7(now), randomUuidV7(now), randomUuidV7(now)]
    await api.owner.query('select create_click_partition(current_date)')
    await api.owner.query(
      `insert into clicks (id, project_id, occurred_at, received_at, bot, target) values ($1, 1, now(), now(), false, 'button')`,
      [counted],
    )
    await api.owner.query(
      `insert into dead_letters (producer, sequence, reason, detail, content, clicks, click_ids, click_projects)
       values ($1, 1, 'refused_by_database', '', '', 1, array[$2]::uuid[], '{1}')`,
      [randomUUID(), dead],
    )
    expect((await api.get(`/v1/events/${counted.toUpperCase()}`)).body).toMatchObject({
      id: counted,
      status: 'counted',
      target: 'button',
    })
    expect((await api.get(`/v1/events/${dead}`)).body).toMatchObject({
      id: dead,
      status: 'dead',
      reason: 'refused_by_database',
    })
    expect((await api.get(`/v1/events/${unknown}`)).body).toMatchObject({ id: unknown, status: 'not_seen' })
  })

  test('does not say of a click from before the horizon that it was not counted', async () => {
    const api = await createApi()
    const daysAgo = (days: number) => randomUuidV7(Date.now() - days * 86_400_000)
    const [old, recent, stored] = [daysAgo(30), daysAgo(10), daysAgo(10)]
    await api.owner.query(`select create_click_partition((now() at time zone 'UTC' - interval '10 days')::date)`)
    await api.owner.query(
      `insert into clicks (id, project_id, occurred_at, received_at, bot, target) values ($1, 1, now(), now(), false, 'button')`,
      [stored],
    )
    const statuses = () =>
      Promise.all([old, recent, stored].map(async (id) => (await api.get(`/v1/events/${id}`)).body.status))
    expect(await statuses()).toEqual(['not_seen', 'not_seen', 'counted'])
    // Of another project and of its own.
    await api.owner.query(`insert into project_horizons values (2, now()), (1, now() - interval '20 days')`)
    expect(await statuses()).toEqual(['unknown', 'not_seen', 'counted'])
    await api.owner.query(`update raw_clicks set kept_since = now() - interval '5 days'`)
    expect(await statuses()).toEqual(['unknown', 'unknown', 'counted'])
  })

  test('refuses an invalid id', async () => {
    const api = await createApi()
    expect((await api.get('/v1/events/7')).body).toMatchObject({ status: 422, code: 'id_not_v7' })
    expect((await api.get(`/v1/events/${crypto.randomUUID()}`)).body).toMatchObject({ status: 422, code: 'id_not_v7' })
  })
})

describe('the api', () => {
  test('has one OpenAPI 3.1 document for both services, and a page that shows it', async () => {
    const api = await createApi()
    const { body } = await api.get('/openapi.json')
    expect(body.openapi).toBe('3.1.0')
    expect(Object.keys(body.paths).sort()).toEqual([
      '/c/{slug}.json',
      '/c/{slug}.svg',
      '/l/{slug}',
      '/v1/audit',
      '/v1/backfill',
      '/v1/balance',
      '/v1/beacon',
      '/v1/c',
      '/v1/counts',
      '/v1/counts/by',
      '/v1/counts/by/{dimension}',
      '/v1/counts/series',
      '/v1/counts/top',
      '/v1/dead-letters',
      '/v1/events',
      '/v1/events/batch',
      '/v1/events/{id}',
      '/v1/export',
      '/v1/keys',
      '/v1/keys/{id}',
      '/v1/keys/{id}/rotate',
      '/v1/links',
      '/v1/links/{slug}',
      '/v1/live',
      '/v1/p.gif',
      '/v1/password',
      '/v1/projects',
      '/v1/projects/{name}',
      '/v1/projects/{name}/cell',
      '/v1/public-counters',
      '/v1/public-counters/{slug}',
      '/v1/session',
      '/v1/thresholds',
      '/v1/thresholds/{id}',
      '/v1/users',
      '/v1/users/{id}',
      '/v1/users/{id}/password-link',
      '/v1/webhooks',
      '/v1/webhooks/{id}',
      '/v1/webhooks/{id}/deliveries',
      '/v1/webhooks/{id}/redeliver',
      '/v1/webhooks/{id}/rotate',
      '/v1/webhooks/{id}/test',
    ])
    expect(body.components.schemas.ClickEvent.properties.target.maxLength).toBe(256)
    const page = await api.app.inject({ method: 'GET', url: '/docs/' })
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    // The Content-Security-Policy of nginx allows no inline styles and scripts, and the bar on top of the standalone layout has one.
    expect(page.body).not.toMatch(/<style|style=|<script(?![^>]* src=)/)
    const start = await api.app.inject({ method: 'GET', url: '/docs/static/swagger-initializer.js' })
    expect(start.body).toContain('"layout":"BaseLayout"')
  })

  test('uses a database role that cannot change anything', async () => {
    const api = await createApi()
    const client = new Client({ connectionString: api.apiUrl })
    await client.connect()
    try {
      for (const statement of [
        'insert into projects values (2, $$own$$)',
        'update minute_counters set total = 0',
        'delete from counter_deltas',
        'select fold_counters()',
        'delete from clicks',
        'select create_click_partition(current_date)',
        'create table own (id int)',
      ]) {
        await expect(client.query(statement)).rejects.toThrow(/permission denied/)
      }
    } finally {
      await client.end()
    }
  })

  test('answers 503 with Retry-After while the database is unreachable, and is not ready', async () => {
    const api = await createApi()
    expect((await api.get('/readyz')).status).toBe(200)
    const [{ current_database: name }] = (await api.owner.query('select current_database()')).rows
    await api.owner.query(`alter database ${name} connection limit 0`)
    await api.owner.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'clicktally_api' and datname = $1`,
      [name],
    )
    const { status, headers, body } = await api.get('/v1/counts')
    expect([status, headers['retry-after'], body.code, body.retryable]).toEqual([
      503,
      '1',
      'database_unavailable',
      true,
    ])
    expect((await api.get('/readyz')).status).toBe(503)
    expect((await api.get('/livez')).status).toBe(200)
    await api.owner.query(`alter database ${name} connection limit -1`)
    expect((await api.get('/v1/counts')).status).toBe(200)
  })
})
