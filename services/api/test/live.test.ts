import { Socket } from 'node:net'
import { assertLiveTopology, liveTopology } from '@clicktally/broker/live-topology.ts'
import { makeKey } from '@clicktally/keys/key-text.ts'
import { liveMessageType } from '@clicktally/message/live-message.ts'
import type { EventStream } from '@clicktally/testing/event-stream.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createApi, keys } from './api-under-test.ts'
import { createLiveApi, createLiveBench, createLiveClick, publishLive } from './live-under-test.ts'

const idsIn = ({ events }: EventStream) => events.flatMap(({ event, data }) => (event === 'click' ? [data.id] : []))
const gapsIn = ({ events }: EventStream) => events.flatMap(({ event, data }) => (event === 'gap' ? [data] : []))

async function untilSeen(live: EventStream, clicks: readonly { readonly id: string }[]): Promise<void> {
  await vi.waitFor(() => expect(idsIn(live)).toEqual(clicks.map(({ id }) => id)), patience)
}

describe('a viewer', () => {
  test('is sent each click of the project of its key as it is counted, without visitor', async () => {
    const { broker, watch } = await createLiveBench()
    const live = await watch()
    expect([live.status, live.headers.get('content-type'), live.headers.get('cache-control')]).toEqual([
      200,
      'text/event-stream',
      'no-store',
    ])
    await vi.waitFor(
      () => expect(live.events).toMatchObject([{ event: 'heartbeat', data: { connected: true } }]),
      patience,
    )
    const click = createLiveClick({ target: 'a "b"\nevent: gap', occurredAtMs: 1_700_000_000_123, bot: true })
    const second = createLiveClick()
    await publishLive(broker, [click, createLiveClick({ projectId: 2 }), second])
    await untilSeen(live, [click, second])
    expect(live.events[1]?.data).toEqual({
      ...{ id: click.id, target: click.target, bot: true },
      occurredAt: '2023-11-14T22:13:20.123Z',
    })
    expect(gapsIn(live)).toEqual([])
  })

  test('sees only the targets that it names, or those with a prefix', async () => {
    const { broker, watch } = await createLiveBench()
    const clicks = ['a', 'b', 'blog/1', 'blog/2'].map((target) => createLiveClick({ target }))
    const [two, blog] = [await watch('?target=a,b'), await watch('?targetPrefix=blog/')]
    await publishLive(broker, clicks)
    await untilSeen(two, clicks.slice(0, 2))
    await untilSeen(blog, clicks.slice(2))
  })

  test('sees another project only with a key that may read it', async () => {
    const { broker, watch, owner } = await createLiveBench()
    const { rows } = await owner.query(`insert into projects (name) values ('other') returning id`)
    const click = createLiveClick({ projectId: rows[0].id })
    const [refused, allowed] = [await watch('?project=other'), await watch('?project=other', {}, keys.auditor.text)]
    await publishLive(broker, [click])
    await untilSeen(allowed, [click])
    expect(refused.status).toBe(403)
  })

  test('is told how many clicks there were when they are too many to send', async () => {
    const { broker, watch } = await createLiveBench()
    const live = await watch()
    const clicks = Array.from({ length: 450 }, (_, index) => createLiveClick({ bot: index % 3 === 0 }))
    await publishLive(broker, clicks)
    await vi.waitFor(() => expect(gapsIn(live)).toHaveLength(1), patience)
    const rest = clicks.slice(100)
    expect(idsIn(live)).toEqual(clicks.slice(0, 100).map(({ id }) => id))
    const bots = rest.filter(({ bot }) => bot).length
    expect(gapsIn(live)).toEqual([{ reason: 'rate', total: rest.length - bots, bots }])
    // It resumes after the clicks that the gap stands for.
    const again = await watch('', { 'last-event-id': live.events.at(-1)?.id ?? '' })
    const next = createLiveClick()
    await publishLive(broker, [next])
    await untilSeen(again, [next])
    expect(gapsIn(again)).toEqual([])
  })

  test('is sent heartbeats', async () => {
    const { watch } = await createLiveBench({ heartbeatMs: 50 })
    const live = await watch()
    await vi.waitFor(() => expect(live.events.length).toBeGreaterThan(3), patience)
    expect(new Set(live.events.map(({ event }) => event))).toEqual(new Set(['heartbeat']))
  })
})

describe('a viewer that reconnects', () => {
  test('is sent what it has missed, from the middle of a message, by any api', async () => {
    const { broker, watch } = await createLiveBench()
    const other = await createLiveApi(broker)
    const live = await watch()
    const clicks = Array.from({ length: 30 }, () => createLiveClick())
    await publishLive(broker, clicks)
    await untilSeen(live, clicks)
    live.close()
    const later = [createLiveClick(), createLiveClick({ projectId: 2 }), createLiveClick()]
    await publishLive(broker, later.slice(0, 1))
    await publishLive(broker, later.slice(1))
    const seen = live.events.filter(({ event }) => event === 'click')
    const restarted = await createLiveApi(broker)
    for (const api of [{ watch }, other, restarted]) {
      const again = await api.watch('', { 'last-event-id': seen[10]?.id ?? '' })
      await untilSeen(again, [...clicks.slice(11), ...later.filter(({ projectId }) => projectId === 1)])
      expect(gapsIn(again)).toEqual([])
    }
  })

  test('is told when its place is not known', async () => {
    const { broker, watch } = await createLiveBench()
    await publishLive(broker, [createLiveClick()])
    const places = ['nonsense', '0.1.0', 'zzz.1.1', '-1.1.1']
    for (const live of await Promise.all(places.map((id) => watch('', { 'last-event-id': id })))) {
      await vi.waitFor(() => expect(live.events.map(({ event }) => event)).toEqual(['gap', 'heartbeat']), patience)
      expect(gapsIn(live)).toEqual([{ reason: 'expired' }])
    }
  })
})

describe('where clicks may be missing, viewers are told', () => {
  test('by processors', async () => {
    const { broker, watch } = await createLiveBench()
    const live = await watch()
    const clicks = [createLiveClick(), createLiveClick()]
    await publishLive(broker, clicks.slice(0, 1))
    await publishLive(broker, clicks.slice(1), true)
    await untilSeen(live, clicks)
    expect(live.events.map(({ event }) => event)).toEqual(['heartbeat', 'click', 'gap', 'click'])
    expect(gapsIn(live)).toEqual([{ reason: 'missed' }])
  })

  test('when the stream was deleted and created anew, even while the api was not connected', async () => {
    const { broker, watch } = await createLiveBench()
    const live = await watch()
    const first = createLiveClick()
    await publishLive(broker, [first])
    await untilSeen(live, [first])
    await broker.channel.deleteQueue(liveTopology.stream)
    await assertLiveTopology(broker.channel)
    await publishLive(broker, [createLiveClick()])
    const later = new Set<string>()
    await vi.waitFor(async () => {
      const click = createLiveClick()
      later.add(click.id)
      await publishLive(broker, [click])
      expect(idsIn(live).some((id) => later.has(id))).toBe(true)
    }, patience)
    expect(gapsIn(live)).toContainEqual({ reason: 'missed' })
  })

  test('when a message cannot be read', async () => {
    const { broker, watch } = await createLiveBench()
    const live = await watch()
    broker.channel.publish(liveTopology.exchange, '', Buffer.from('{'), { type: liveMessageType })
    await vi.waitFor(() => expect(gapsIn(live)).toEqual([{ reason: 'missed' }]), patience)
  })
})

test('the api goes on where it was after its connection was lost: nothing is missing, and viewers stay', async () => {
  const { broker, watch } = await createLiveBench()
  const live = await watch()
  const clicks = [createLiveClick()]
  await publishLive(broker, clicks)
  await untilSeen(live, clicks)
  await vi.waitFor(async () => {
    const open = (await broker.manage('GET', '/vhosts/{vhost}/connections')) as unknown[]
    expect(open).toHaveLength(2)
  }, patience)
  await broker.closeConnections()
  for (let sent = 0; sent < 20; sent += 1) {
    const click = createLiveClick()
    clicks.push(click)
    await publishLive(broker, [click])
  }
  await untilSeen(live, clicks)
  expect(gapsIn(live)).toEqual([])
})

test('without a broker viewers are answered 503 with Retry-After, and all else works', async () => {
  const { app, get } = await createApi()
  const { status, body, headers } = await get('/v1/live', { authorization: `Bearer ${keys.read.text}` })
  expect([status, body.code, headers['retry-after']]).toEqual([503, 'live_unavailable', '5'])
  expect((await get('/v1/counts')).status).toBe(200)
  expect((await app.inject('/readyz')).statusCode).toBe(200)
})

test('a viewer beyond the limit is answered 503, until another has gone', async () => {
  const { watch } = await createLiveBench({ maxViewers: 1 })
  const first = await watch()
  const second = await watch()
  expect([first.status, second.status, second.headers.get('retry-after')]).toEqual([200, 503, '30'])
  first.close()
  await vi.waitFor(async () => expect((await watch()).status).toBe(200), patience)
})

test('a viewer whose key is revoked is disconnected, and others are not', async () => {
  const { watch, owner } = await createLiveBench({ heartbeatMs: 200 })
  const key = makeKey('read')
  await owner.query(`insert into keys (id, project_id, role, label, hash) values ($1, 1, 'read', '', $2)`, [
    key.id,
    Buffer.from(key.hash, 'base64url'),
  ])
  const [revoked, other] = [await watch('', {}, key.text), await watch()]
  let hasEnded = false
  void revoked.ended.then(() => {
    hasEnded = true
  })
  await owner.query('update keys set revoked_at = now() where id = $1', [key.id])
  await vi.waitFor(() => expect(hasEnded).toBe(true), patience)
  const { length } = other.events
  await vi.waitFor(() => expect(other.events.length).toBeGreaterThan(length), patience)
})

test('a viewer that does not read is disconnected, and memory stays bounded', async () => {
  const { baseUrl, viewers, registry, watch } = await createLiveBench()
  const live = await watch()
  const { hostname, port } = new URL(baseUrl)
  const socket = new Socket().connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  socket.pause()
  socket.write(`GET /v1/live HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${keys.read.text}\r\n\r\n`)
  const value = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value
  await vi.waitFor(async () => expect(await value('clicktally_live_viewers')).toBe(2), patience)
  const clicks = Array.from({ length: 100 }, () => createLiveClick({ target: 'x'.repeat(256) }))
  let offset = 1_000
  await vi.waitFor(async () => {
    offset += 1
    viewers.add({ offset, sentAtMs: Date.now(), hasGap: false, clicks })
    expect(await value('clicktally_live_viewers_disconnected_total')).toBe(1)
  }, patience)
  expect(await value('clicktally_live_viewers')).toBe(1)
  const before = idsIn(live).length
  viewers.add({ offset: offset + 1, sentAtMs: Date.now(), hasGap: false, clicks })
  await vi.waitFor(() => expect(idsIn(live).length).toBeGreaterThan(before), patience)
})

test('a thousand viewers are each sent every click, from one api', async () => {
  const { broker, baseUrl } = await createLiveBench({ maxViewers: 1_000 })
  const { hostname, port } = new URL(baseUrl)
  const request = `GET /v1/live HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${keys.read.text}\r\n\r\n`
  const texts: string[] = []
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  // Not all at once: 511 connections can wait to be accepted (Node's default), and a busy process accepts none for seconds.
  while (texts.length < 1_000) {
    for (let group = 0; group < 100; group += 1) {
      const index = texts.push('') - 1
      const socket = new Socket().connect(Number(port), hostname).setEncoding('latin1')
      socket.on('data', (chunk) => {
        texts[index] = `${texts[index]}${chunk}`
      })
      socket.write(request)
      sockets.push(socket)
    }
    await vi.waitFor(() => expect(texts.every((text) => text.startsWith('HTTP/1.1 '))).toBe(true), patience)
    expect(texts.filter((text) => !text.startsWith('HTTP/1.1 200 '))).toEqual([])
  }
  await vi.waitFor(() => expect(texts.every((text) => text.includes('event: heartbeat'))).toBe(true), patience)
  const clicks = Array.from({ length: 20 }, () => createLiveClick())
  for (const click of clicks) await publishLive(broker, [click])
  const sees = (text: string) => clicks.filter(({ id }) => text.includes(id)).length
  await vi.waitFor(() => expect(new Set(texts.map(sees))).toEqual(new Set([20])), patience)
  expect(texts.some((text) => text.includes('event: gap'))).toBe(false)
})
