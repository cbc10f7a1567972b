import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import type { HttpApp } from '@clicktally/http/http-app.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { describe, expect, test, vi } from 'vitest'
import { type Answer, createBench, createIngest, drain, expectProblem, post } from './ingest-under-test.ts'
import { startLoad } from './load.ts'
import { createSlowLink } from './slow-link.ts'

const routes = ['/v1/events', '/v1/events/batch'] as const
const bodies = { '/v1/events': { target: 't' }, '/v1/events/batch': { events: [{ target: 't' }] } }

/** A port on which nothing listens. */
async function deadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function expectInQueue(broker: TestBroker, accepted: ReadonlySet<string>): Promise<void> {
  const queued = new Set((await drain(broker)).clicks.map(({ id }) => id))
  expect([...accepted].filter((id) => !queued.has(id))).toEqual([])
}

async function untilAccepted(app: HttpApp): Promise<void> {
  await vi.waitFor(
    async () => expect(await post(app, '/v1/events', { target: 't' })).toMatchObject({ status: 202 }),
    patience,
  )
}

describe('without a broker', () => {
  test.each(routes)('%s answers 503 at once, with Retry-After', async (url) => {
    // Longer than the test's timeout, so that waiting for a confirm or a connection fails the test.
    const confirmWithinMs = 600_000
    const { app, publisher } = createIngest(`amqp://127.0.0.1:${await deadPort()}`, { confirmWithinMs })
    expectProblem(await post(app, url, bodies[url]), 503, 'broker_unavailable')
    expect(publisher.heldClicks).toBe(0)
  })

  test('an invalid event is still rejected', async () => {
    const { app } = createIngest(`amqp://127.0.0.1:${await deadPort()}`)
    expectProblem(await post(app, '/v1/events', {}), 422, 'missing_field')
  })

  test('ingest is live but not ready', async () => {
    const { app } = createIngest(`amqp://127.0.0.1:${await deadPort()}`)
    expect((await app.inject('/livez')).statusCode).toBe(200)
    const { statusCode, body } = await app.inject('/readyz')
    expect({ statusCode, body }).toEqual({
      statusCode: 503,
      body: '{"status":"not_ready","reason":"broker_unavailable"}',
    })
    expect((await app.inject('/metrics')).body).toContain('clicktally_broker_connected{cell="home"} 0\n')
  })

  test('ingest becomes ready when it connects', async () => {
    const broker = await createTestBroker()
    const { app, ready } = createIngest(broker.url)
    await ready()
    expect((await app.inject('/readyz')).statusCode).toBe(200)
  })
})

describe('when the topology changes', () => {
  test.each<[string, (broker: TestBroker) => Promise<unknown>]>([
    ['the queue is deleted', ({ channel }) => channel.deleteQueue(topology.queue)],
    [
      'the queue is unbound',
      ({ channel }) => channel.unbindQueue(topology.queue, topology.exchange, topology.routingKey),
    ],
  ])('%s: clicks are answered 503 until a processor has declared it again', async (_name, damage) => {
    const { app, broker } = await createBench()
    expect(await post(app, '/v1/events', { target: 't' })).toMatchObject({ status: 202 })
    await drain(broker)
    await damage(broker)
    expectProblem(await post(app, '/v1/events', { target: 'lost' }), 503, 'unroutable')
    expectProblem(await post(app, '/v1/events', { target: 'lost' }), 503, 'unroutable')
    await assertTopology(broker.channel)
    await untilAccepted(app)
    expect((await drain(broker)).clicks.map(({ target }) => target)).toEqual(['t'])
  })

  test('the exchange is deleted under load: answers are 202 or 503, and 202 again after a processor has declared it', async () => {
    const { app, broker } = await createBench()
    const load = startLoad(app)
    await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(50), patience)
    await broker.channel.deleteExchange(topology.exchange)
    await vi.waitFor(() => expect(load.refused.length).toBeGreaterThan(0), patience)
    await vi.waitFor(async () => expect((await app.inject('/readyz')).statusCode).toBe(503), patience)
    await assertTopology(broker.channel)
    const before = load.accepted.size
    await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(before + 50), patience)
    await load.stop()
    for (const answer of load.refused) {
      // Unroutable: when the exchange was there again, and its binding was not yet.
      const { code } = answer.body
      expectProblem(answer, 503, code === 'unroutable' ? code : 'broker_unavailable')
    }
    await expectInQueue(broker, load.accepted)
  })
})

describe('a full queue', () => {
  test('leads to 503 until it has room again', async () => {
    const { app, broker } = await createBench()
    await broker.manage('PUT', '/policies/{vhost}/small', {
      pattern: `^${topology.queue}$`,
      'apply-to': 'queues',
      definition: { 'max-length': 1, overflow: 'reject-publish' },
    })
    let full: Answer | undefined
    await vi.waitFor(async () => {
      full = await post(app, '/v1/events', { target: 't' })
      expect(full.status).toBe(503)
    }, patience)
    expectProblem(full as Answer, 503, 'queue_full')
    expect((await app.inject('/readyz')).statusCode).toBe(200)
    // A report may fill the queue after a drain.
    await vi.waitFor(async () => {
      await drain(broker)
      expect(await post(app, '/v1/events', { target: 't' })).toMatchObject({ status: 202 })
    }, patience)
  })
})

describe('a connection that the server closes', () => {
  test('under load leads only to 202 and 503, and accepted clicks are in the queue', async () => {
    const { app, broker } = await createBench()
    const load = startLoad(app, 64)
    for (let round = 1; round <= 2; round += 1) {
      const before = load.accepted.size
      await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(before + 100), patience)
      const refusedBefore = load.refused.length
      await vi.waitFor(async () => {
        await broker.closeConnections()
        expect(load.refused.length).toBeGreaterThan(refusedBefore)
      }, patience)
    }
    const before = load.accepted.size
    await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(before + 100), patience)
    await load.stop()
    for (const answer of load.refused) expectProblem(answer, 503, 'broker_unavailable')
    await expectInQueue(broker, load.accepted)
  })

  test('without a close handshake leads to the same', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, ready } = createIngest(link.url)
    await ready()
    const load = startLoad(app, 64)
    await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(100), patience)
    link.cut()
    await vi.waitFor(() => expect(load.refused.length).toBeGreaterThan(0), patience)
    await vi.waitFor(async () => expect((await app.inject('/readyz')).statusCode).toBe(503), patience)
    await assertTopology(broker.channel)
    const before = load.accepted.size
    await vi.waitFor(() => expect(load.accepted.size).toBeGreaterThan(before + 100), patience)
    await load.stop()
    for (const answer of load.refused) expectProblem(answer, 503, 'broker_unavailable')
    await expectInQueue(broker, load.accepted)
  })
})

describe('a broker that stops responding', () => {
  test('leads to 503 at the confirm deadline', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(link.url, { confirmWithinMs: 1_000 })
    await ready()
    link.silence()
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, n) =>
        post(app, routes[n % 2] ?? '/v1/events', bodies[routes[n % 2] ?? '/v1/events']),
      ),
    )
    for (const answer of answers) expectProblem(answer, 503, 'confirm_timeout')
    expect(publisher.heldClicks).toBe(0)
    link.resume()
    await untilAccepted(app)
  })

  test('cannot make ingest hold more clicks than its limit: the others are answered 503 at once', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(link.url, { maxHeldClicks: 500 })
    await ready()
    link.silence()
    const batch = { events: Array.from({ length: 250 }, () => ({ target: 't' })) }
    const held = [post(app, '/v1/events/batch', batch), post(app, '/v1/events/batch', batch)]
    await vi.waitFor(() => expect(publisher.heldClicks).toBe(500), patience)
    expectProblem(await post(app, '/v1/events', { target: 't' }), 503, 'overloaded')
    link.resume()
    expect(await Promise.all(held)).toMatchObject([{ status: 202 }, { status: 202 }])
    expect(publisher.heldClicks).toBe(0)
  })

  test('cannot make ingest hold more bytes than its limit', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(link.url, { maxHeldBytes: 100_000 })
    await ready()
    link.silence()
    const batch = { events: Array.from({ length: 50 }, () => ({ target: 't', url: 'u'.repeat(1_500) })) }
    const held = post(app, '/v1/events/batch', batch)
    await vi.waitFor(() => expect(publisher.heldClicks).toBe(50), patience)
    expectProblem(await post(app, '/v1/events/batch', batch), 503, 'overloaded')
    link.resume()
    expect(await held).toMatchObject({ status: 202 })
  })
})

/** With heartbeats the connection would end because of them, and not because of the missing confirms. */
function withoutHeartbeat(url: string): string {
  return `${url}?heartbeat=0`
}

describe('a broker that confirms nothing for longer than the deadline', () => {
  test('makes ingest not ready, and clicks refused at once, until a message is confirmed', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(withoutHeartbeat(link.url), { confirmWithinMs: 500 })
    await ready()
    link.silence()
    expectProblem(await post(app, '/v1/events', { target: 't' }), 503, 'confirm_timeout')
    await vi.waitFor(() => expect(publisher.isReady).toBe(false), patience)
    expect((await app.inject('/readyz')).statusCode).toBe(503)
    expect((await post(app, '/v1/events', { target: 't' })).body.code).not.toBe('confirm_timeout')
    expect(publisher.heldClicks).toBe(0)
    link.resume()
    // Without clicks: ingest recovers by its own probes.
    await ready()
    await untilAccepted(app)
  })

  test('is detected by an idle ingest as well', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(withoutHeartbeat(link.url), {
      confirmWithinMs: 500,
      probeEveryMs: 100,
    })
    await ready()
    link.silence()
    await vi.waitFor(() => expect(publisher.isReady).toBe(false), patience)
    expect((await app.inject('/readyz')).statusCode).toBe(503)
    link.resume()
    await ready()
    expect((await app.inject('/readyz')).statusCode).toBe(200)
  })

  test('is distinguished from a broker with an alarm', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(withoutHeartbeat(link.url), {
      confirmWithinMs: 100,
      probeEveryMs: 100,
    })
    await ready()
    link.sayBlocked('low on disk')
    await vi.waitFor(() => expect(publisher.refusal).toBe('broker_blocked'), patience)
    // Another ingest detects a silent link in the meantime, so this one has had the time to do the same.
    const other = await createSlowLink(broker.url)
    const silenced = createIngest(withoutHeartbeat(other.url), { confirmWithinMs: 500, probeEveryMs: 100 })
    await silenced.ready()
    other.silence()
    await vi.waitFor(() => expect(silenced.publisher.isReady).toBe(false), patience)
    expect(publisher.refusal).toBe('broker_blocked')
    expect((await app.inject('/readyz')).json()).toEqual({ status: 'not_ready', reason: 'broker_blocked' })
    link.sayUnblocked()
    await ready()
  })
})

describe('a broker with an alarm', () => {
  test('leads to 503 at once, and makes ingest not ready, until the alarm ends', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(link.url)
    await ready()
    link.sayBlocked('low on memory')
    await vi.waitFor(() => expect(publisher.isReady).toBe(false), patience)
    for (const url of routes) expectProblem(await post(app, url, bodies[url]), 503, 'broker_blocked')
    expect((await app.inject('/readyz')).statusCode).toBe(503)
    expect(publisher.heldClicks).toBe(0)
    expect(await broker.depth()).toBe(0)
    link.sayUnblocked()
    await ready()
    expect(await post(app, '/v1/events', { target: 't' })).toMatchObject({ status: 202 })
    expect((await drain(broker)).clicks).toHaveLength(1)
  })

  test('does not outlast its connection', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(link.url)
    await ready()
    link.sayBlocked('low on disk')
    await vi.waitFor(() => expect(publisher.isReady).toBe(false), patience)
    link.cut()
    await untilAccepted(app)
  })
})

describe('a stop', () => {
  test('waits for the confirms of held clicks, and accepts no more', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(link.url)
    await ready()
    link.silence()
    const answers = Array.from({ length: 50 }, () => post(app, '/v1/events', { target: 't' }))
    await vi.waitFor(() => expect(publisher.heldClicks).toBe(50), patience)
    const stopping = publisher.close()
    link.resume()
    for (const { status } of await Promise.all(answers)) expect(status).toBe(202)
    await stopping
    expect((await drain(broker)).clicks).toHaveLength(50)
    expectProblem(await post(app, '/v1/events', { target: 't' }), 503, 'broker_unavailable')
  })

  test('does not wait for a silent broker longer than the confirm deadline', async () => {
    const broker = await createTestBroker()
    const link = await createSlowLink(broker.url)
    const { app, publisher, ready } = createIngest(link.url, { confirmWithinMs: 500 })
    await ready()
    link.silence()
    const answer = post(app, '/v1/events', { target: 't' })
    await vi.waitFor(() => expect(publisher.heldClicks).toBe(1), patience)
    await publisher.close()
    expectProblem(await answer, 503, 'confirm_timeout')
  })
})
