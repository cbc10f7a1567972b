import { randomUUID } from 'node:crypto'
import { liveTopology } from '@clicktally/broker/live-topology.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { decodeLiveMessage, type LiveMessage } from '@clicktally/message/live-message.ts'
import { patience } from '@clicktally/testing/patience.ts'
import type { TestBroker } from '@clicktally/testing/test-broker.ts'
import { connect } from 'amqplib'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test, vi } from 'vitest'
import { LiveFeed } from '../live/live-feed.ts'
import { consumedMessage, createBench, createClick } from './processor-under-test.ts'

async function startFeed(broker: TestBroker, maxUnconfirmedBytes = 4_000_000) {
  const registry = new Registry()
  const logger = pino({ level: 'silent' })
  const feed = new LiveFeed({ brokerUrl: await broker.urlAs('processor'), logger, registry, maxUnconfirmedBytes })
  onTestFinished(() => feed.close())
  feed.start()
  return { feed, registry }
}

/** The messages of the stream, from the first one on, as they arrive. */
async function readStream(broker: TestBroker): Promise<LiveMessage[]> {
  const messages: LiveMessage[] = []
  const model = await connect(broker.url)
  onTestFinished(() => model.close().catch(() => {}))
  model.on('error', () => {})
  const channel = await model.createChannel()
  channel.on('error', () => {})
  await channel.prefetch(100)
  await channel.consume(
    liveTopology.stream,
    (message) => {
      if (message === null) return
      channel.ack(message)
      messages.push(decodeLiveMessage(message.properties.type as string, message.content))
    },
    { arguments: { 'x-stream-offset': 'first' } },
  )
  return messages
}

const idsIn = (messages: readonly LiveMessage[]) => messages.flatMap(({ clicks }) => clicks.map(({ id }) => id))
const rowsOf = (...clicks: ReturnType<typeof createClick>[]) =>
  consumedMessage({ producer: randomUUID(), sequence: 1, clicks: clicks.length, settled: 0, confirmed: 0 }, clicks)
    .clicks

test('publishes each click that is counted once, however it is written, and no duplicate', async () => {
  const bench = await createBench()
  const { feed } = await startFeed(bench.broker)
  const messages = await readStream(bench.broker)
  await vi.waitFor(() => expect(messages.map(({ hasGap }) => hasGap)).toEqual([true]), patience)
  await bench.startProcessor({ onCounted: (clicks) => feed.counted(clicks) })

  const copied = [createClick({ occurredAtMs: 1_700_000_000_123, target: 'a "b"' }), createClick({ bot: true })]
  await bench.send(...copied)
  await bench.untilProcessed()
  // With a known click, and in one message with what is no click: two other ways of writing.
  const [known] = copied as [ReturnType<typeof createClick>]
  const beside = createClick()
  await bench.send(known, beside)
  await bench.untilProcessed()
  const withLetter = createClick()
  await bench.sendRaw(`${JSON.stringify(withLetter)}\n${JSON.stringify(known)}\nno click`)
  await bench.untilProcessed()
  // The database refuses one of them.
  const withRefused = createClick()
  await bench.send(withRefused, createClick({ id: randomUuidV7(Date.UTC(2200, 0, 1)) }))
  await bench.untilProcessed()

  const stored = await bench.ask<{ id: string }>('select id from clicks')
  await vi.waitFor(() => expect(idsIn(messages)).toHaveLength(stored.length), patience)
  expect(idsIn(messages).sort()).toEqual(stored.map(({ id }) => id).sort())
  expect(idsIn(messages)).toEqual(
    expect.arrayContaining([...copied, beside, withLetter, withRefused].map(({ id }) => id)),
  )
  const [first, second] = messages.flatMap(({ clicks }) => clicks)
  expect([first, second]).toEqual(
    expect.arrayContaining([
      { id: copied[0]?.id, projectId: 1, target: 'a "b"', occurredAtMs: 1_700_000_000_123, bot: false },
      { id: copied[1]?.id, projectId: 1, target: 'button', occurredAtMs: copied[1]?.occurredAtMs, bot: true },
    ]),
  )
  expect(messages.filter(({ hasGap }) => hasGap)).toHaveLength(1)
})

test('says that clicks may be missing when messages come back, which another processor may have counted', async () => {
  const bench = await createBench()
  const { feed } = await startFeed(bench.broker)
  const messages = await readStream(bench.broker)
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience)
  const click = createClick()
  await bench.send(click)
  // A processor gets the message, and ends before it acknowledges.
  const delivered = await bench.broker.channel.get(topology.queue, { noAck: false })
  if (delivered !== false) bench.broker.channel.nack(delivered, false, true)
  await bench.startProcessor({ onCounted: (clicks) => feed.counted(clicks), onReturned: () => feed.missed() })
  await bench.untilProcessed()
  await vi.waitFor(() => expect(messages.slice(1)).toMatchObject([{ hasGap: false }, { hasGap: true }]), patience)
  expect(idsIn(messages)).toEqual([click.id])
})

test('goes on when the stream was deleted, and says that clicks may be missing', async () => {
  const { broker } = await createBench()
  const { feed } = await startFeed(broker)
  const before = await readStream(broker)
  await vi.waitFor(() => expect(before).toHaveLength(1), patience)
  const [lost] = rowsOf(createClick())
  await broker.channel.deleteQueue(liveTopology.stream)
  // Unroutable: the feed declares the stream again.
  feed.counted(lost === undefined ? [] : [lost])
  await vi.waitFor(
    () => expect(broker.manage('GET', `/queues/{vhost}/${liveTopology.stream}`)).resolves.toBeDefined(),
    patience,
  )
  const after = await readStream(broker)
  await vi.waitFor(() => expect(after[0]).toMatchObject({ hasGap: true }), patience)
  const next = createClick()
  feed.counted(rowsOf(next))
  await vi.waitFor(() => expect(idsIn(after)).toEqual([next.id]), patience)
})

test('drops clicks instead of holding them when the broker is slow or absent, counts them, and says so', async () => {
  const { broker } = await createBench()
  const { feed, registry } = await startFeed(broker, 1_000)
  const clicks = Array.from({ length: 50 }, () => createClick())
  feed.counted(rowsOf(...clicks)) // not connected yet
  const messages = await readStream(broker)
  await vi.waitFor(() => expect(messages).toHaveLength(1), patience)
  // More than may be unconfirmed, in one turn of the event loop.
  feed.counted(rowsOf(...clicks))
  feed.counted(rowsOf(...clicks))
  await vi.waitFor(() => expect(idsIn(messages)).toHaveLength(50), patience)
  // Confirmed, so that there is room again.
  const outcome = async (name: string) => {
    const { values } = (await registry.getSingleMetric('clicktally_live_clicks_total')?.get()) ?? { values: [] }
    return values.find(({ labels }) => labels.outcome === name)?.value
  }
  await vi.waitFor(async () => expect(await outcome('published')).toBe(50), patience)
  const last = createClick()
  feed.counted(rowsOf(last))
  const withLast = expect.objectContaining({ hasGap: true, clicks: [expect.objectContaining({ id: last.id })] })
  await vi.waitFor(() => expect(messages).toContainEqual(withLast), patience)
  expect(await outcome('dropped')).toBe(100)
})
