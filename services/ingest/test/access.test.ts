import { keysTopology } from '@clicktally/broker/keys-topology.ts'
import { KeyRing } from '@clicktally/keys/key-ring.ts'
import { encodeKeySnapshot, type KeySnapshot, keySnapshotType } from '@clicktally/keys/key-snapshot.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { keyRoles } from '@clicktally/keys/roles.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { KeyLimits } from '../access/key-limits.ts'
import { KeyStream } from '../access/key-stream.ts'
import { SenderAccess } from '../access/sender-access.ts'
import { createBench, createIngest, keys, pageOrigin, post, snapshotOfKeys } from './ingest-under-test.ts'

const paths = ['/v1/events', '/v1/events/batch', '/v1/backfill']
const event = { target: 'button', occurredAt: new Date().toISOString() }
const bodyOf = (path: string) => (path === '/v1/events' ? event : { events: [event] })
const withKey = (text: string) => ({ authorization: `Bearer ${text}` })
const asPage = (text: string, origin = pageOrigin) => ({ ...withKey(text), origin })

describe('a request to send clicks', () => {
  test('is accepted for exactly the rights of the role of its key', async () => {
    const { app } = await createBench()
    const statuses: Record<string, number[]> = {}
    for (const role of keyRoles) {
      statuses[role] = []
      for (const path of paths)
        statuses[role].push((await post(app, path, bodyOf(path), asPage(keys[role].text))).status)
    }
    expect(statuses).toEqual({
      write: [202, 202, 403],
      secret: [202, 202, 202],
      read: [403, 403, 403],
      auditor: [403, 403, 403],
      owner: [202, 202, 202],
    })
  })

  test.each([
    ['no key', {}, 'key_missing'],
    ['an unknown key', withKey(makeKey('secret').text), 'key_unknown'],
    ['a mistyped key', withKey(keys.secret.text.slice(1)), 'key_malformed'],
    ['another scheme', { authorization: 'Basic dTpw' }, 'key_malformed'],
    ['a very long key', withKey('x'.repeat(7_000)), 'key_malformed'],
  ])('with %s is refused before its body is read', async (_what, headers, code) => {
    const { app, broker } = await createBench()
    for (const url of paths) {
      const { statusCode, body } = await app.inject({
        ...{ method: 'POST', url, headers: { 'content-type': 'application/json', ...headers } },
        payload: 'this is not JSON',
      })
      expect([statusCode, JSON.parse(body).code]).toEqual([401, code])
    }
    expect(await broker.depth()).toBe(0)
  })

  test('is counted for the project of its key, whatever the body says', async () => {
    const { app, ring, broker } = await createBench()
    const other = makeKey('secret')
    const { keys: known } = snapshotOfKeys()
    ring.replace(
      snapshotOfKeys({
        version: 2,
        keys: [...known, { id: other.id, hash: other.hash, role: 'secret', projectId: 7, origins: [] }],
      }),
    )
    await post(app, '/v1/events', { target: 'a' }, withKey(other.text))
    await post(app, '/v1/events', { target: 'b' }, withKey(keys.secret.text))
    expect((await post(app, '/v1/events', { target: 'c', projectId: 7 }, withKey(keys.secret.text))).status).toBe(422)
    const projects = []
    for (let each = 0; each < 2; each += 1) {
      const message = await broker.channel.get('clicks', { noAck: true })
      if (message !== false) projects.push(JSON.parse(message.content.toString()).projectId)
    }
    expect(projects.sort()).toEqual([1, 7])
  })

  test('is refused if its key is not in the newest snapshot, or expired', async () => {
    const { app, ring } = await createBench()
    expect((await post(app, '/v1/events', event)).status).toBe(202)
    const [secret] = snapshotOfKeys().keys.filter(({ role }) => role === 'secret')
    ring.replace(
      snapshotOfKeys({ version: 2, keys: [{ ...(secret as NonNullable<typeof secret>), expiresAtMs: Date.now() }] }),
    )
    expect((await post(app, '/v1/events', event)).body.code).toBe('key_unknown')
    expect((await post(app, '/v1/events', event, asPage(keys.write.text))).body.code).toBe('key_unknown')
  })

  test('gets 503 until the first snapshot, and the service is not ready', async () => {
    const broker = await createTestBroker()
    const empty = createIngest(await broker.urlAs('ingest'), {}, new KeyRing())
    await vi.waitFor(() => expect(empty.publisher.isReady).toBe(true), patience)
    const { status, body, headers } = await post(empty.app, '/v1/events', event)
    expect([status, body.code, body.retryable, headers['retry-after']]).toEqual([503, 'keys_unavailable', true, '2'])
    const ready = await empty.app.inject('/readyz')
    expect([ready.statusCode, ready.json().reason]).toEqual([503, 'no_keys'])
    const refusing = async () => (await empty.app.inject('/metrics')).body.match(/^clicktally_refusing_clicks.* 1$/gm)
    expect(await refusing()).toEqual([expect.stringContaining('reason="no_keys",cell="home"')])
    empty.ring.replace(snapshotOfKeys())
    expect((await empty.app.inject('/readyz')).statusCode).toBe(200)
    expect(await refusing()).toBeNull()
  })

  test('is awaited until the first snapshot, but not for ever', async () => {
    const ring = new KeyRing()
    const access = new SenderAccess(ring, false)
    await access.untilReady(50)
    expect(access.isReady).toBe(false)
    const waiting = access.untilReady(3_600_000)
    ring.replace(snapshotOfKeys())
    await waiting
    expect(access.isReady).toBe(true)
    await new SenderAccess(new KeyRing(), true).untilReady(3_600_000)
  })
})

describe('from a web page', () => {
  test('a write key works only from the origins that it lists', async () => {
    const { app } = await createBench()
    const allowed = await post(app, '/v1/events', event, asPage(keys.write.text))
    expect([allowed.status, allowed.headers['access-control-allow-origin'], allowed.headers.vary]).toEqual([
      202,
      pageOrigin,
      'Origin',
    ])
    for (const origin of [`${pageOrigin}.evil.test`, 'https://evil-shop.example', 'http://shop.example', 'null']) {
      const { status, body, headers } = await post(app, '/v1/events', event, asPage(keys.write.text, origin))
      expect([status, body.code], origin).toEqual([403, 'origin_not_allowed'])
      expect(headers['access-control-allow-origin'], origin).toBeUndefined()
    }
    expect((await post(app, '/v1/events', event, withKey(keys.write.text))).body.code).toBe('origin_not_allowed')
  })

  test('a preflight succeeds only for origins that a key lists', async () => {
    const { app } = await createBench()
    const preflight = async (origin: string, url: string) =>
      await app.inject({
        ...{ method: 'OPTIONS', url },
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      })
    for (const url of paths) {
      const { statusCode, headers } = await preflight(pageOrigin, url)
      expect(statusCode).toBe(204)
      expect(headers).toMatchObject({
        ...{ 'access-control-allow-origin': pageOrigin, 'access-control-allow-methods': 'POST', vary: 'Origin' },
        'access-control-allow-headers': 'authorization, content-type, content-encoding, x-retry-count',
      })
      expect(headers['access-control-allow-credentials']).toBeUndefined()
      const refused = await preflight('https://evil.example', url)
      expect([refused.statusCode, refused.headers['access-control-allow-origin']]).toEqual([204, undefined])
    }
  })

  test('the page can read an error', async () => {
    const { app } = await createBench()
    const { status, headers } = await post(app, '/v1/events', { target: '' }, asPage(keys.write.text))
    expect([status, headers['access-control-allow-origin']]).toEqual([422, pageOrigin])
  })
})

describe('a key with a limit', () => {
  test('is refused with 429 and Retry-After beyond its limit, and other keys are not', async () => {
    const { app, ring } = await createBench()
    const limited = makeKey('secret')
    const { keys: known } = snapshotOfKeys()
    ring.replace(
      snapshotOfKeys({
        version: 2,
        keys: [
          ...known,
          { id: limited.id, hash: limited.hash, role: 'secret', projectId: 1, origins: [], clicksPerSecond: 1 },
        ],
      }),
    )
    const batch = { events: Array.from({ length: 500 }, () => ({ target: 'a' })) }
    expect((await post(app, '/v1/events/batch', batch, withKey(limited.text))).status).toBe(202)
    const { status, body, headers } = await post(app, '/v1/events/batch', batch, withKey(limited.text))
    expect([status, body.code, body.retryable]).toEqual([429, 'key_limit_exceeded', true])
    const waitSeconds = Number(headers['retry-after'])
    expect(waitSeconds).toBeGreaterThan(400)
    expect(headers['ratelimit-policy']).toBe('"clicks-of-key";q=1;w=1;qu="clicks"')
    expect(headers.ratelimit).toBe(`"clicks-of-key";r=${500 - waitSeconds};t=${waitSeconds}`)
    expect((await post(app, '/v1/events/batch', batch)).status).toBe(202)
  })

  test('regains tokens over time, up to the burst size', () => {
    const limits = new KeyLimits()
    const key = { id: 'k', hash: '', role: 'secret' as const, projectId: 1, origins: [], clicksPerSecond: 1_000 }
    expect(limits.take(key, 2_000, 0)).toBeUndefined()
    expect(limits.take(key, 1, 0)).toEqual({ waitMs: 1, remaining: 0 })
    expect(limits.take(key, 500, 500)).toBeUndefined()
    expect(limits.take(key, 2_000, 3_600_000)).toBeUndefined()
    expect(limits.take(key, 1, 3_600_000)).toEqual({ waitMs: 1, remaining: 0 })
    expect(limits.take({ ...key, id: 'other', clicksPerSecond: 1 }, 500, 0)).toBeUndefined()
  })
})

describe('the key stream', () => {
  async function publish(broker: TestBroker, snapshot: KeySnapshot, type = keySnapshotType): Promise<void> {
    broker.channel.publish(keysTopology.exchange, '', encodeKeySnapshot(snapshot), { type, persistent: true })
    await broker.channel.waitForConfirms()
  }

  async function startStream(broker: TestBroker): Promise<KeyRing> {
    const ring = new KeyRing()
    const stream = new KeyStream({ brokerUrl: await broker.urlAs('ingest'), logger: pino({ level: 'silent' }), ring })
    onTestFinished(() => stream.close())
    stream.start()
    return ring
  }

  test('delivers the last snapshot to a new ingest, and each new snapshot to a running one', async () => {
    const broker = await createTestBroker()
    for (const version of [1, 2, 3]) await publish(broker, snapshotOfKeys({ version }))
    const ring = await startStream(broker)
    await vi.waitFor(() => expect(ring.version).toBe(3), patience)
    await publish(broker, snapshotOfKeys({ version: 4, keys: [] }))
    await vi.waitFor(() => expect(ring.version).toBe(4), patience)
    expect(ring.find(keys.secret.text, 0)).toBeUndefined()
  })

  test('keeps the last valid snapshot', async () => {
    const broker = await createTestBroker()
    await publish(broker, snapshotOfKeys({ version: 1 }))
    const ring = await startStream(broker)
    await vi.waitFor(() => expect(ring.version).toBe(1), patience)
    await publish(broker, snapshotOfKeys({ version: 9 }), 'keys.v2')
    broker.channel.publish(keysTopology.exchange, '', Buffer.from('{'), { type: keySnapshotType })
    await publish(broker, snapshotOfKeys({ version: 2 }))
    await vi.waitFor(() => expect(ring.version).toBe(2), patience)
  })

  test('reconnects after the connection was lost', async () => {
    const broker = await createTestBroker()
    await publish(broker, snapshotOfKeys({ version: 1 }))
    const ring = await startStream(broker)
    await vi.waitFor(() => expect(ring.version).toBe(1), patience)
    await broker.channel.deleteQueue(keysTopology.stream)
    expect(ring.find(keys.secret.text, 0)).toBeDefined()
    await broker.channel.assertQueue(keysTopology.stream, { durable: true, arguments: { 'x-queue-type': 'stream' } })
    await broker.channel.bindQueue(keysTopology.stream, keysTopology.exchange, '')
    await publish(broker, snapshotOfKeys({ version: 5 }))
    await vi.waitFor(() => expect(ring.version).toBe(5), patience)
  })
})
