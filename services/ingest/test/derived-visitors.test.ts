import { isUtf8 } from 'node:buffer'
import { KeyRing } from '@clicktally/keys/key-ring.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { ClickLine } from '@clicktally/message/click-line.ts'
import { describe, expect, test } from 'vitest'
import { DerivedVisitors, networkOf } from '../access/derived-visitors.ts'
import { createBench, createIngest, drain, keys, pageOrigin, post, snapshotOfKeys } from './ingest-under-test.ts'

const salts = { '2026-11-28': 'A'.repeat(43), '2026-11-29': 'B'.repeat(43) }
const noon = Date.UTC(2026, 10, 28, 12)
const midnight = Date.UTC(2026, 10, 29)
const snapshotOf = snapshotOfKeys()
const keyOf = (role: 'write' | 'secret' | 'owner', projectId = 1) => ({
  ...(snapshotOf.keys.find((key) => key.role === role) as NonNullable<(typeof snapshotOf.keys)[0]>),
  projectId,
})

function ringWith(visitorSalts: Record<string, string>, derivesVisitors = true): KeyRing {
  const ring = new KeyRing()
  const projects = [1, 2].map((id) => ({ id, name: `project-${id}`, derivesVisitors }))
  ring.replace(snapshotOfKeys({ projects, visitorSalts }))
  return ring
}

function visitorOf(
  request: { address?: string; userAgent?: string; atMs?: number; key?: ReturnType<typeof keyOf>; ring?: KeyRing } = {},
): string | undefined {
  const { address = '192.0.2.1', userAgent = 'Firefox', atMs = noon, key = keyOf('write') } = request
  const visitors = new DerivedVisitors(request.ring ?? ringWith(salts))
  const headers = { ...(address !== '' && { 'x-forwarded-for': address }), 'user-agent': userAgent }
  return visitors.derivationFor(key, headers, atMs)?.()
}

describe('a derived visitor', () => {
  test('is a short pseudonym that depends only on project, network, user agent and day', () => {
    const visitor = visitorOf()
    expect(visitor).toMatch(/^derived:[\w-]{16}$/)
    expect(visitorOf({ ring: ringWith(salts), atMs: midnight - 1 })).toBe(visitor)
    const others = [
      visitorOf({ address: '192.0.2.2' }),
      visitorOf({ userAgent: 'Chrome' }),
      visitorOf({ userAgent: '' }),
      visitorOf({ key: keyOf('write', 2) }),
      visitorOf({ atMs: midnight }),
      visitorOf({ ring: ringWith({ ...salts, '2026-11-28': 'C'.repeat(43) }) }),
    ]
    expect(new Set([visitor, ...others]).size).toBe(7)
    expect(others).not.toContain(undefined)
  })

  test.each([
    ['the key is not for browsers', { key: keyOf('secret') }],
    ['the request bypassed nginx', { address: '' }],
    ['the header is not an address', { address: '192.0.2.1, 192.0.2.2' }],
    ['the project disables it', { ring: ringWith(salts, false) }],
    ["the day's salt is missing", { atMs: midnight + 86_400_000 }],
    ['the project is unknown', { key: keyOf('write', 3) }],
  ])('does not exist if %s', (_when, request) => {
    expect(visitorOf(request)).toBeUndefined()
  })

  test('changes with a new salt for the same day', () => {
    const ring = ringWith(salts)
    const visitors = new DerivedVisitors(ring)
    const derive = () => visitors.derivationFor(keyOf('write'), { 'x-forwarded-for': '192.0.2.1' }, noon)?.()
    const before = derive()
    expect(derive()).toBe(before)
    ring.replace(snapshotOfKeys({ version: 2, visitorSalts: { '2026-11-28': 'D'.repeat(43) } }))
    expect(derive()).not.toBe(before)
  })

  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:0:7:1:2:3:4', '2001:db8:0:7'],
    ['2001:0DB8::7:0:0:0:1', '2001:db8:0:7'],
    ['2001:db8:0:7::1', '2001:db8:0:7'],
    ['2001:db8::', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['1::2:3:4:5:6:7', '1:0:2:3'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0'],
    ['', undefined],
    ['localhost', undefined],
    ['192.0.2.256', undefined],
  ])('takes %s as the network %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

describe('clicks of a page', () => {
  const today = new Date().toISOString().slice(0, 10)
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)
  const visitorSalts = { [today]: 'A'.repeat(43), [tomorrow]: 'B'.repeat(43) }
  const asPage = {
    ...{ authorization: `Bearer ${keys.write.text}`, origin: pageOrigin, 'x-forwarded-for': '2001:db8::77' },
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0',
  }

  test('get the same derived visitor from every ingest, but only if they have no visitorId', async () => {
    const { app, broker, ring } = await createBench()
    ring.replace(snapshotOfKeys({ version: 2, visitorSalts }))
    const second = createIngest(await broker.urlAs('ingest'), {}, ring)
    await second.ready()
    const started = { 'x-request-start': `t=${(Date.now() / 1_000).toFixed(3)}` }
    const events = [{ target: 'a' }, { target: 'b', visitorId: 'ann', url: '/b' }, { target: 'c', bot: true }]
    for (const each of [app, second.app]) {
      expect((await post(each, '/v1/events', { target: 'one', url: '/' }, { ...asPage, ...started })).status).toBe(202)
      expect((await post(each, '/v1/events/batch', { events }, { ...asPage, ...started })).status).toBe(202)
    }
    await post(app, '/v1/events', { target: 'server' }, { 'x-forwarded-for': '2001:db8::77' })
    const { clicks } = await drain(broker)
    const visitors = (target: string) => clicks.filter((click) => click.target === target).map((it) => it.visitorId)
    const [derived] = visitors('one')
    expect(derived).toMatch(/^derived:[\w-]{16}$/)
    expect(visitors('one')).toEqual([derived, derived])
    expect(visitors('a')).toEqual([derived, derived])
    expect(visitors('b')).toEqual(['ann', 'ann'])
    expect(visitors('c')).toEqual([undefined, undefined])
    expect(visitors('server')).toEqual([undefined])
  })

  test('get the visitor of the day on which nginx received the request', async () => {
    const { app, broker, ring } = await createBench()
    const midnightMs = Date.parse(today)
    const yesterday = new Date(midnightMs - 1).toISOString().slice(0, 10)
    ring.replace(snapshotOfKeys({ version: 2, visitorSalts: { ...visitorSalts, [yesterday]: 'C'.repeat(43) } }))
    for (const startMs of [midnightMs - 1, midnightMs - 1, midnightMs]) {
      const started = { 'x-request-start': `t=${(startMs / 1_000).toFixed(3)}` }
      await post(app, '/v1/events', { target: 'a' }, { ...asPage, ...started })
    }
    const [first, second, next] = (await drain(broker)).clicks.map(({ visitorId }) => visitorId)
    expect(first).toBe(second)
    expect(next).toMatch(/^derived:/)
    expect(next).not.toBe(first)
  })

  test('are accepted without a visitor while the salt is missing', async () => {
    const { app, broker } = await createBench()
    expect((await post(app, '/v1/events', { target: 'a' }, asPage)).status).toBe(202)
    expect((await drain(broker)).clicks.map(({ visitorId }) => visitorId)).toEqual([undefined])
  })

  test('cannot have a visitorId with the prefix of derived visitors', async () => {
    const { app } = await createBench()
    const { status, body } = await post(app, '/v1/events', { target: 'a', visitorId: 'derived:x' }, asPage)
    expect([status, body.code, body.field]).toEqual([422, 'visitor_id_reserved', 'visitorId'])
  })

  test('with a derived visitor are read on the fast path, and contain neither address nor user agent', async () => {
    const { app, broker, ring } = await createBench()
    ring.replace(snapshotOfKeys({ version: 2, visitorSalts }))
    const event = { target: 'a', url: 'https://shop.example/', referrer: 'r', props: { size: 1 } }
    await post(app, '/v1/events', event, asPage)
    const message = await broker.channel.get('clicks', { noAck: true })
    if (message === false) throw new Error('there is no message')
    const { content, properties } = message
    expect(isUtf8(content) && new ClickLine().read(content, 0, content.length)).toBe(true)
    const everything = content.toString() + JSON.stringify(properties)
    expect(everything).toContain('"visitorId":"derived:')
    for (const secret of ['Firefox', '2001:db8', makeKey('write').text.slice(0, 5), keys.write.text])
      expect(everything).not.toContain(secret)
  })
})
