import { Analytics } from '@segment/analytics-node'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createBench, drain, expectProblem, keys, pageOrigin, post } from './ingest-under-test.ts'

const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` })
const secret = basic(keys.secret.text)
const timestamp = new Date(Date.now() - 60_000).toISOString()

/** A real client of Segment whose requests go to this app. */
async function createAnalytics() {
  const bench = await createBench()
  const host = await bench.app.listen({ host: '127.0.0.1', port: 0 })
  const analytics = new Analytics({
    writeKey: keys.secret.text,
    host,
    path: '/segment/v1/batch',
    flushAt: 10,
    maxRetries: 5,
  })
  onTestFinished(() => analytics.closeAndFlush({ timeout: 5_000 }).then(() => {}))
  const failures: unknown[] = []
  analytics.on('error', (error) => failures.push(error))
  return { ...bench, analytics, failures }
}

describe('@segment/analytics-node', () => {
  test('sends clicks', async () => {
    const { analytics, broker, failures } = await createAnalytics()
    analytics.track({ userId: 'u-1', event: 'Order Completed', properties: { total: 9.5, items: [{ sku: 'a' }] } })
    analytics.page({ anonymousId: 'a-1', name: 'Pricing', properties: { url: 'https://shop.example/pricing' } })
    analytics.identify({ userId: 'u-1', traits: { plan: 'pro' } })
    await analytics.closeAndFlush()
    expect(failures).toEqual([])
    expect((await drain(broker)).clicks).toMatchObject([
      { target: 'Order Completed', visitorId: 'u-1', props: { total: 9.5, items: '[{"sku":"a"}]' } },
      { target: 'page: Pricing', visitorId: 'a-1', url: 'https://shop.example/pricing' },
    ])
  })

  test('sends a click again with the same id after its response was lost', async () => {
    const { analytics, app, broker, failures } = await createAnalytics()
    let lost = 0
    app.server.prependListener('request', (request, response) => {
      if (lost >= 1 || request.method !== 'POST') return
      lost += 1
      response.on('finish', () => {})
      response.end = () => {
        request.socket.destroy()
        return response
      }
    })
    analytics.track({ userId: 'u-1', event: 'Lost' })
    await analytics.closeAndFlush()
    expect([lost, failures]).toEqual([1, []])
    const { clicks } = await drain(broker)
    expect([clicks.length, new Set(clicks.map(({ id }) => id)).size]).toEqual([2, 1])
  })
})

describe("Segment's API", () => {
  test('accepts an address that is cut within a character', async () => {
    const { app, broker } = await createBench()
    const url = `https://shop.example/${'x'.repeat(2_026)}`
    const page = { url: `${url}😀`, referrer: `${url}😀` }
    const answer = await post(app, '/segment/v1/track', { event: 'a', userId: 'u', context: { page } }, secret)
    expect(answer).toMatchObject({ status: 200, body: { rejected: 0 } })
    expect((await drain(broker)).clicks).toMatchObject([{ url, referrer: url }])
  })

  test('takes single messages, on long and short paths, with the key in the body too', async () => {
    const { app, broker } = await createBench()
    const message = { messageId: 'm-1', timestamp, anonymousId: 'a', event: 'Signed Up' }
    for (const path of ['track', 't']) {
      expect((await post(app, `/segment/v1/${path}`, message, secret)).status).toBe(200)
    }
    const page = { context: { page: { url: 'https://shop.example/a', path: '/a', referrer: 'https://x.example/' } } }
    const inBody = await app.inject({
      ...{ method: 'POST', url: '/segment/v1/p', headers: { origin: pageOrigin, 'content-type': 'text/plain' } },
      payload: JSON.stringify({ ...page, writeKey: keys.write.text }),
    })
    expect(inBody.statusCode).toBe(200)
    const { clicks } = await drain(broker)
    expect(clicks).toMatchObject([
      { target: 'Signed Up', visitorId: 'a', occurredAtMs: Date.parse(timestamp) },
      { target: 'Signed Up', id: clicks[0]?.id },
      { target: 'page: /a', url: 'https://shop.example/a', referrer: 'https://x.example/' },
    ])
  })

  test('answers messages that are no clicks as accepted, and counts nothing', async () => {
    const { app, broker } = await createBench()
    for (const path of ['identify', 'i', 'group', 'g', 'alias', 'a']) {
      expect(await post(app, `/segment/v1/${path}`, { userId: 'u' }, secret)).toMatchObject({
        ...{ status: 200, body: { success: true } },
      })
    }
    expect((await drain(broker)).clicks).toEqual([])
  })

  test('rejects an invalid message without the others', async () => {
    const { app, broker } = await createBench()
    const batch = [
      { type: 'track' },
      { type: 'track', event: 'a', timestamp },
      7,
      { type: 'track', event: 'x'.repeat(300) },
    ]
    const { status, body } = await post(app, '/segment/v1/batch', { batch }, secret)
    expect([status, body.accepted, body.rejected]).toEqual([200, 1, 3])
    expect((await post(app, '/segment/v1/batch', { batch: [{ type: 'track' }] }, secret)).status).toBe(422)
    expect((await drain(broker)).clicks).toMatchObject([{ target: 'a' }])
  })

  test('keeps properties within the limits of props', async () => {
    const { app, broker } = await createBench()
    const properties = Object.fromEntries(
      Array.from({ length: 60 }, (_, at) => [`p${at}`, at === 0 ? 'x'.repeat(9_000) : null]),
    )
    expect((await post(app, '/segment/v1/track', { event: 'a', properties }, secret)).status).toBe(200)
    const props = (await drain(broker)).clicks[0]?.props as Record<string, unknown>
    expect([Object.keys(props).length, props.p0]).toEqual([30, 'x'.repeat(1_024)])
  })

  test('is refused without a valid key or body', async () => {
    const { app } = await createBench()
    const url = '/segment/v1/track'
    const none = { authorization: 'Basic Og==' }
    expectProblem(await post(app, url, { event: 'a' }, none), 401, 'key_malformed')
    expectProblem(await post(app, url, { event: 'a' }, basic(keys.read.text)), 403, 'right_missing')
    expectProblem(await post(app, url, { event: 'a' }, basic(keys.write.text)), 403, 'origin_not_allowed')
    expectProblem(await post(app, url, '{', secret), 400, 'body_not_json')
    expectProblem(await post(app, '/segment/v1/batch', { batch: {} }, secret), 422, 'batch_invalid')
    const many = Array.from({ length: 501 }, () => ({ type: 'track', event: 'a' }))
    expectProblem(await post(app, '/segment/v1/batch', { batch: many }, secret), 413, 'too_many_events')
    expectProblem(await post(app, '/segment/v1/batch', `{"batch":${'['.repeat(9_000)}`, secret), 422, 'batch_invalid')
  })
})
