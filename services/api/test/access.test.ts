import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { sessionCookie } from '@clicktally/access/credential.ts'
import { createDatabase } from '@clicktally/database/connection.ts'
import { createPool } from '@clicktally/database/pool.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { keyRoles } from '@clicktally/keys/roles.ts'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { KeyCache } from '../access/key-cache.ts'
import { createApi, keys } from './api-under-test.ts'

const minute = '2026-03-01T10:00Z'
const dead = '019c0000-0000-7000-8000-000000000001'
const paths = [
  '/v1/counts',
  '/v1/counts/series?interval=day',
  '/v1/counts/top',
  '/v1/counts/by',
  '/v1/counts/by/country',
  `/v1/events/${dead}`,
  '/v1/balance',
  '/v1/dead-letters',
  '/v1/live',
  '/v1/events',
  '/v1/events?personal=true',
]
const withKey = (text: string) => ({ authorization: `Bearer ${text}` })

/** The api with a second project, `other`, its read key, and a click and a dead letter of each project. */
async function createTwoProjects() {
  const api = await createApi()
  const { rows } = await api.owner.query(`insert into projects (name) values ('other') returning id`)
  const otherId = rows[0].id as number
  const otherKey = makeKey('read')
  await api.owner.query(`insert into keys (id, project_id, role, label, hash) values ($1, $2, 'read', '', $3)`, [
    otherKey.id,
    otherId,
    Buffer.from(otherKey.hash, 'base64url'),
  ])
  await api.count({ minute, target: 'ours', total: 3, visitors: ['a'] })
  await api.owner.query(
    `insert into counter_deltas (project_id, target, minute, total, bots, visitors)
     select $1, each, $2, 5, 0, array[visitor_hash($1, 'z')] from unnest(array['theirs', '']) as each`,
    [otherId, minute],
  )
  await api.owner.query(
    `insert into dead_letters (producer, sequence, reason, detail, content, clicks, click_ids, click_projects)
     values ($1, 1, 'theirs', '', '', 2, array[$2, $3]::uuid[], array[$4, 0])`,
    [randomUUID(), dead, dead.replace(/1$/, '2'), otherId],
  )
  return { ...api, otherKey }
}

test('each role can read exactly what its rights allow', async () => {
  const api = await createApi()
  const statuses: Record<string, number[]> = {}
  for (const role of keyRoles) {
    statuses[role] = []
    for (const path of paths) statuses[role].push((await api.get(path, withKey(keys[role].text))).status)
  }
  expect(statuses).toEqual({
    write: Array(11).fill(403),
    secret: Array(11).fill(403),
    // 503: without a broker there are no live clicks.
    read: [200, 200, 200, 200, 200, 200, 403, 403, 503, 200, 403],
    auditor: [200, 200, 200, 200, 200, 200, 200, 200, 503, 200, 200],
    owner: [200, 200, 200, 200, 200, 200, 200, 200, 503, 200, 200],
  })
})

test.each([
  ['no key', {}, 'key_missing'],
  ['an unknown key', withKey(makeKey('read').text), 'key_unknown'],
  ['a mistyped key', withKey(keys.read.text.slice(1)), 'key_malformed'],
  ['an unknown session', { cookie: `${sessionCookie}=${'a'.repeat(43)}` }, 'session_expired'],
])('with %s every question is refused', async (_what, headers, code) => {
  const api = await createApi()
  for (const path of paths) {
    const { status, body } = await api.get(path, headers)
    expect([status, body.code]).toEqual([401, code])
  }
})

describe('a project', () => {
  test('is the project of the key; other projects are not accessible, and their existence is not revealed', async () => {
    const { get, otherKey } = await createTwoProjects()
    const ours = await get('/v1/counts', withKey(keys.read.text))
    const theirs = await get('/v1/counts', withKey(otherKey.text))
    expect([ours.body.total, ours.body.visitors, theirs.body.total, theirs.body.visitors]).toEqual([3, 1, 5, 1])
    const top = async (key: string) =>
      (await get('/v1/counts/top', withKey(key))).body.targets.map(({ target }: { target: string }) => target)
    expect([await top(keys.read.text), await top(otherKey.text)]).toEqual([['ours'], ['theirs']])
    expect((await get('/v1/counts?target=theirs', withKey(keys.read.text))).body.total).toBe(0)
    for (const project of ['other', 'nobody']) {
      const { status, body } = await get(`/v1/counts?project=${project}`, withKey(keys.read.text))
      expect([status, body.code]).toEqual([403, 'project_not_allowed'])
    }
    expect((await get('/v1/counts?project=default', withKey(keys.read.text))).body.total).toBe(3)
  })

  test('shows only its own dead letters', async () => {
    const { get, otherKey } = await createTwoProjects()
    const status = async (id: string, key: string) => (await get(`/v1/events/${id}`, withKey(key))).body.status
    expect(await status(dead, otherKey.text)).toBe('dead')
    expect(await status(dead, keys.read.text)).toBe('not_seen')
    expect(await status(dead.replace(/1$/, '2'), otherKey.text)).toBe('not_seen')
  })

  test('can be named by auditors and owners', async () => {
    const { get } = await createTwoProjects()
    for (const { text } of [keys.auditor, keys.owner]) {
      expect((await get('/v1/counts?project=other', withKey(text))).body.total).toBe(5)
      expect((await get('/v1/counts', withKey(text))).body.total).toBe(3)
      const { status, body } = await get('/v1/counts?project=nobody', withKey(text))
      expect([status, body.code]).toEqual([404, 'project_unknown'])
    }
  })
})

test('a revoked or expired key is refused as soon as the cached keys are more than 5 s old', async () => {
  const { owner, db } = await createApi()
  let now = 0
  const cache = new KeyCache(db, () => now)
  const find = async () => (await cache.keys()).find(keys.read.text, Date.now())
  expect(await find()).toMatchObject({ role: 'read' })
  await owner.query('update keys set revoked_at = now() where id = $1', [keys.read.id])
  expect(await find()).toBeDefined()
  now = 5_001
  expect(await find()).toBeUndefined()
})

test('a key, a project and an origin can be used as soon as they were created', async () => {
  const { owner, db } = await createApi()
  const cache = new KeyCache(db, () => 0)
  await cache.keys()
  const { text, id, hash } = makeKey('read')
  const lookUp = () => cache.find((ring) => ring.find(text, Date.now()))
  expect(await lookUp()).toBeUndefined()
  await owner.query(`insert into projects (id, name) values (7, 'new')`)
  await owner.query(
    `insert into keys (id, hash, role, project_id, label, origins) values ($1, $2, 'read', 7, '', '{https://new.example}')`,
    [id, Buffer.from(hash, 'base64url')],
  )
  expect(await lookUp()).toMatchObject({ role: 'read', projectId: 7 })
  expect(await cache.find((ring) => ring.projectNamed('new'))).toMatchObject({ id: 7 })
  expect(await cache.find((ring) => ring.knowsOrigin('https://new.example') || undefined)).toBe(true)
  expect(await cache.find((ring) => ring.projectNamed('nobody'))).toBeUndefined()
})

test('keys are used for at most 45 s while the database is down', async () => {
  const { owner, db } = await createApi()
  let now = 0
  const cache = new KeyCache(db, () => now)
  await cache.keys()
  await owner.query('revoke select on key_version from clicktally_api')
  now = 44_000
  expect((await cache.keys()).find(keys.read.text, Date.now())).toBeDefined()
  now = 45_001
  await expect(cache.keys()).rejects.toThrow(/permission/)
  await owner.query('grant select on key_version to clicktally_api')
  expect((await cache.keys()).find(keys.read.text, Date.now())).toBeDefined()
})

test('keys are read although every connection of the pool has just been lost', async () => {
  const { owner, apiUrl } = await createApi()
  const limits = { name: 'test', logger: pino({ level: 'silent' }), maxConnections: 3, statementTimeoutMs: 60_000 }
  const pool = createPool({ ...limits, url: apiUrl })
  onTestFinished(() => pool.end())
  let lost = 0
  const db = createDatabase({
    options: pool.options,
    end: async () => {},
    connect: async () => {
      const client = await pool.connect()
      if (lost < 3) {
        lost += 1
        const { rows } = await client.query('select pg_backend_pid() as pid')
        const ended = new Promise((resolve) => client.once('end', resolve))
        await owner.query('select pg_terminate_backend($1)', [rows[0].pid])
        await ended
      }
      return client
    },
  })
  expect((await new KeyCache(db).keys()).find(keys.read.text, Date.now())).toBeDefined()
  expect(lost).toBe(3)
})

test('a session reads with the role of its user, until it ends or the user is disabled', async () => {
  const { get, owner } = await createTwoProjects()
  const token = randomBytes(32).toString('base64url')
  const { rows } = await owner.query(
    `insert into users (email, role, password_hash) values ('a@example.org', 'auditor', 'x') returning id`,
  )
  await owner.query(`insert into sessions (hash, user_id, expires_at) values ($1, $2, now() + interval '1 hour')`, [
    createHash('sha256').update(token).digest(),
    rows[0].id,
  ])
  const cookie = { cookie: `${sessionCookie}=${token}` }
  expect((await get('/v1/balance', cookie)).status).toBe(200)
  expect((await get('/v1/counts?project=other', cookie)).body.total).toBe(5)
  await owner.query('update users set disabled_at = now()')
  expect((await get('/v1/counts', cookie)).body.code).toBe('session_expired')
  await owner.query(`update users set disabled_at = null; update sessions set expires_at = now() - interval '1 second'`)
  expect((await get('/v1/counts', cookie)).body.code).toBe('session_expired')
})

test('responses may be cached only for the same credential', async () => {
  const { get } = await createApi()
  const { headers } = await get('/v1/counts')
  expect(headers.vary).toBe('Authorization, Cookie, Origin')
  expect(headers['cache-control']).toMatch(/^private/)
  expect((await get('/v1/events/019c0000-0000-7000-8000-000000000001')).headers['cache-control']).toBe('no-store')
})

test('only pages of listed origins may read the response', async () => {
  const { get, app } = await createApi()
  const allowed = await get('/v1/counts', { ...withKey(keys.read.text), origin: 'https://page.example' })
  expect([allowed.status, allowed.headers['access-control-allow-origin']]).toEqual([200, 'https://page.example'])
  const refused = await get('/v1/counts', { ...withKey(keys.read.text), origin: 'https://evil.example' })
  expect([refused.status, refused.body.code, refused.headers['access-control-allow-origin']]).toEqual([
    403,
    'origin_not_allowed',
    undefined,
  ])
  const preflight = async (origin: string) =>
    (
      await app.inject({
        method: 'OPTIONS',
        url: '/v1/counts',
        headers: { origin, 'access-control-request-method': 'GET' },
      })
    ).headers['access-control-allow-origin']
  expect([await preflight('https://page.example'), await preflight('https://evil.example')]).toEqual([
    'https://page.example',
    undefined,
  ])
})
