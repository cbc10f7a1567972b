import type { HttpApp } from '@clicktally/http/http-app.ts'
import { KeyRing } from '@clicktally/keys/key-ring.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { describe, expect, test, vi } from 'vitest'
import { createIngest, drain, expectProblem, snapshotOfKeys } from './ingest-under-test.ts'
import { createSlowLink } from './slow-link.ts'

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const destination = 'https://shop.example/spring?a=1'

function ringWithLink(): KeyRing {
  const ring = new KeyRing()
  const link = { slug: 'spring', projectId: 1, target: 'link: spring', url: destination }
  ring.replace(snapshotOfKeys({ links: [link], visitorSalts: { [today()]: 'A'.repeat(43) } }))
  return ring
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}

async function createLinks(ring = ringWithLink()) {
  const broker = await createTestBroker()
  const ingest = createIngest(await broker.urlAs('ingest'), {}, ring)
  await ingest.ready()
  return { ...ingest, broker, visit: visitor(ingest.app) }
}

function visitor(app: HttpApp) {
  return (path = '/l/spring', headers: Record<string, string> = {}, method: 'GET' | 'HEAD' = 'GET') =>
    app.inject({ method, url: path, headers: { 'user-agent': firefox, host: 'counts.example', ...headers } })
}

describe('GET /l/{slug}', () => {
  test('redirects to the URL of the link and counts a click, with what the request tells', async () => {
    const { visit, broker } = await createLinks()
    const { statusCode, headers, body } = await visit('/l/spring?utm_source=mail', {
      ...{ 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.7', referer: 'https://news.example/' },
    })
    expect([statusCode, body, headers]).toMatchObject([
      302,
      '',
      { location: destination, 'cache-control': 'no-store', 'clicktally-outcome': 'accepted' },
    ])
    expect((await drain(broker)).clicks).toEqual([
      expect.objectContaining({
        ...{ projectId: 1, target: 'link: spring', referrer: 'https://news.example/' },
        url: 'https://counts.example/l/spring?utm_source=mail',
        visitorId: expect.stringMatching(/^derived:/),
      }),
    ])
  })

  test('has the same id when nginx sends it again, so that it counts once', async () => {
    const { visit, broker } = await createLinks()
    const tried = { 'x-request-id': 'f1', 'x-request-start': `t=${(Date.now() / 1000 - 2).toFixed(3)}` }
    for (const _ of [1, 2]) await visit('/l/spring', tried)
    const { clicks } = await drain(broker)
    expect([clicks.length, new Set(clicks.map(({ id }) => id)).size]).toEqual([2, 1])
  })

  test.each([
    ['https://evil.example', '/l/spring?url=https://evil.example/'],
    ['//evil.example', '/l/spring?//evil.example'],
  ])('leads nowhere else, whatever the request says: %s', async (_, path) => {
    const { visit } = await createLinks()
    const { headers } = await visit(path, { host: 'evil.example', 'x-forwarded-host': 'evil.example' })
    expect(headers.location).toBe(destination)
  })

  test('that does not exist is answered 404, and counts nothing', async () => {
    const { visit, broker } = await createLinks()
    for (const path of ['/l/summer', '/l/__proto__', '/l/constructor', `/l/${'a'.repeat(64)}`]) {
      const answer = await visit(path)
      expect([path, answer.statusCode, answer.headers.location]).toEqual([path, 404, undefined])
    }
    expect((await drain(broker)).clicks).toEqual([])
  })

  test('is 503 while no links are known', async () => {
    const { visit } = await createLinks(new KeyRing())
    const { statusCode, headers, ...answer } = await visit()
    expectProblem({ status: statusCode, headers, body: answer.json() }, 503, 'keys_unavailable')
  })

  test('follows the snapshots: a new link works, a deleted one does not', async () => {
    const { visit, ring } = await createLinks()
    const link = { slug: 'summer', projectId: 1, target: 'summer', url: 'https://shop.example/summer' }
    ring.replace(snapshotOfKeys({ version: 2, links: [link] }))
    expect((await visit('/l/summer')).headers.location).toBe(link.url)
    expect((await visit('/l/spring')).statusCode).toBe(404)
    // Of an earlier version of services/auth.
    ring.replace(snapshotOfKeys({ version: 3 }))
    expect((await visit('/l/summer')).statusCode).toBe(404)
  })
})

describe('a visit that is not a click of a person', () => {
  test('by HEAD is redirected and not counted', async () => {
    const { visit, broker } = await createLinks()
    const { statusCode, headers } = await visit('/l/spring', {}, 'HEAD')
    expect([statusCode, headers.location, headers['clicktally-outcome']]).toEqual([302, destination, undefined])
    expect((await drain(broker)).clicks).toEqual([])
  })

  test.each([
    { 'sec-purpose': 'prefetch' },
    { 'sec-purpose': 'prefetch;prerender' },
    { purpose: 'prefetch' },
    { 'x-moz': 'prefetch' },
    { 'x-purpose': 'preview' },
  ] as Record<string, string>[])('by a browser ahead of a click is refused and not counted: %j', async (ahead) => {
    const { visit, broker } = await createLinks()
    const { statusCode, headers, ...answer } = await visit('/l/spring', ahead)
    expectProblem({ status: statusCode, headers, body: answer.json() }, 403, 'fetched_ahead')
    expect(headers['cache-control']).toBe('no-store')
    expect((await drain(broker)).clicks).toEqual([])
  })

  test.each(['Slackbot-LinkExpanding 1.0', 'curl/8.5.0', ''])('by the program "%s" counts as a bot', async (agent) => {
    const { visit, broker } = await createLinks()
    expect((await visit('/l/spring', { 'user-agent': agent })).statusCode).toBe(302)
    expect((await drain(broker)).clicks).toMatchObject([{ bot: true }])
  })

  test('is one only if the user agent says so', async () => {
    const { visit, broker } = await createLinks()
    await visit()
    expect((await drain(broker)).clicks[0]?.bot).toBeUndefined()
  })
})

describe('a visitor is sent on', () => {
  test('at once if there is no broker', async () => {
    const { app } = createIngest('amqp://127.0.0.1:9', {}, ringWithLink())
    const { statusCode, headers } = await visitor(app)()
    expect([statusCode, headers.location, headers['clicktally-outcome']]).toEqual([
      302,
      destination,
      'broker_unavailable',
    ])
    expect((await app.inject('/metrics')).body).toContain('clicktally_links_followed_total{outcome="lost"} 1\n')
  })

  test('before the confirm if the broker is slow; then the click still counts once', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(await broker.urlAs('ingest'))
    const { app, ready } = createIngest(link.url, {}, ringWithLink())
    await ready()
    link.silence()
    const { statusCode, headers } = await visitor(app)()
    expect([statusCode, headers.location, headers['clicktally-outcome']]).toEqual([302, destination, 'not_confirmed'])
    link.resume()
    await vi.waitFor(async () => {
      expect((await app.inject('/metrics')).body).toContain('clicktally_clicks_accepted_total 1\n')
    }, patience)
    expect((await drain(broker)).clicks).toHaveLength(1)
  })

  test('if the queue refuses the click', async () => {
    const { visit, broker } = await createLinks()
    await broker.channel.deleteQueue('clicks')
    const { statusCode, headers } = await visit()
    expect([statusCode, headers.location]).toEqual([302, destination])
    expect(headers['clicktally-outcome']).not.toBe('accepted')
  })
})
