import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isConnectionDropped, markConnection, newMarkerName } from '../connection-marker.ts'
import { brokerDefinitions } from '../definitions.ts'
import { assertKeysTopology, keysStreamArguments, keysTopology } from '../keys-topology.ts'
import { assertLiveTopology, liveTopology } from '../live-topology.ts'
import { assertTopology, checkPublishing, exchanges, queueArguments, queues, topology } from '../topology.ts'

type Act = (channel: ConfirmChannel) => Promise<unknown>

const quorum = { durable: true, arguments: queueArguments }
const queueNames = queues.map(({ name }) => name)

async function connectAs(broker: TestBroker, service: 'api' | 'auth' | 'ingest' | 'processor'): Promise<ChannelModel> {
  const model = await connect(await broker.urlAs(service))
  model.on('error', () => {})
  onTestFinished(() => model.close().catch(() => {}))
  return model
}

/** The broker's reply code if it refuses the action. A refusal closes the channel, so each action has its own. */
async function refusalOf(model: ChannelModel, act: Act): Promise<number | undefined> {
  const channel = await model.createConfirmChannel()
  let refusal: number | undefined
  const closed = new Promise<void>((resolve) => channel.on('close', resolve))
  channel.on('error', ({ code }: Error & { code?: number }) => {
    refusal = code
  })
  await act(channel).catch((error) => {
    refusal ??= error.code
  })
  if (refusal === undefined) await channel.close()
  else await closed
  return refusal
}

async function publish(channel: ConfirmChannel, exchange: string, routingKey: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    channel.on('close', () => reject(new Error('the channel closed')))
    channel.publish(exchange, routingKey, Buffer.from('x'), {}, (error: unknown) => (error ? reject(error) : resolve()))
  })
}

const accessRefused = 403

describe("the broker's user auth", () => {
  test('may declare the stream of the keys and publish to it', async () => {
    const broker = await createTestBroker()
    const model = await connectAs(broker, 'auth')
    expect(await refusalOf(model, assertKeysTopology)).toBeUndefined()
    expect(await refusalOf(model, (channel) => publish(channel, keysTopology.exchange, ''))).toBeUndefined()
  })

  test('has no access to clicks', async () => {
    const broker = await createTestBroker()
    const model = await connectAs(broker, 'auth')
    const acts: [string, Act][] = [
      ['publish clicks', (channel) => publish(channel, topology.exchange, topology.routingKey)],
      ['publish live clicks', (channel) => publish(channel, liveTopology.exchange, '')],
      ['read live clicks', (channel) => channel.consume(liveTopology.stream, () => {})],
      ...queueNames.flatMap((queue): [string, Act][] => [
        [`consume from ${queue}`, (channel) => channel.consume(queue, () => {})],
        [`purge ${queue}`, (channel) => channel.purgeQueue(queue)],
        [`delete ${queue}`, (channel) => channel.deleteQueue(queue)],
      ]),
    ]
    const refusals = []
    for (const [name, act] of acts) refusals.push([name, await refusalOf(model, act)])
    expect(refusals).toEqual(acts.map(([name]) => [name, accessRefused]))
  })
})

describe("the broker's user api", () => {
  test('may read the stream of the live clicks, and nothing else', async () => {
    const broker = await createTestBroker()
    const model = await connectAs(broker, 'api')
    const { stream, exchange } = liveTopology
    const read = async (channel: ConfirmChannel) => {
      await channel.prefetch(1)
      await channel.consume(stream, () => {}, { arguments: { 'x-stream-offset': 'last' } })
    }
    expect(await refusalOf(model, read)).toBeUndefined()
    const acts: [string, Act][] = [
      ['publish live clicks', (channel) => publish(channel, exchange, '')],
      ['publish to the stream past its exchange', (channel) => publish(channel, '', stream)],
      ['delete the stream', (channel) => channel.deleteQueue(stream)],
      ['unbind the stream', (channel) => channel.unbindQueue(stream, exchange, '')],
      ['publish clicks', (channel) => publish(channel, topology.exchange, topology.routingKey)],
      ['publish keys', (channel) => publish(channel, keysTopology.exchange, '')],
      ['read keys', (channel) => channel.consume(keysTopology.stream, () => {})],
      ['declare a queue without a name', (channel) => channel.assertQueue('', { exclusive: true })],
      ...queueNames.flatMap((queue): [string, Act][] => [
        [`consume from ${queue}`, (channel) => channel.consume(queue, () => {})],
        [`purge ${queue}`, (channel) => channel.purgeQueue(queue)],
      ]),
    ]
    const refusals = []
    for (const [name, act] of acts) refusals.push([name, await refusalOf(model, act)])
    expect(refusals).toEqual(acts.map(([name]) => [name, accessRefused]))
  })
})

describe("the broker's user ingest", () => {
  test('may check that the exchange exists, and publish to it', async () => {
    const broker = await createTestBroker()
    const model = await connectAs(broker, 'ingest')
    expect(await refusalOf(model, checkPublishing)).toBeUndefined()
    expect(
      await refusalOf(model, (channel) => publish(channel, topology.exchange, topology.routingKey)),
    ).toBeUndefined()
    expect(await broker.depth()).toBe(1)
  })

  test('may read the stream of the keys', async () => {
    const broker = await createTestBroker()
    const model = await connectAs(broker, 'ingest')
    const read = async (channel: ConfirmChannel) => {
      await channel.prefetch(1)
      await channel.consume(keysTopology.stream, () => {}, { arguments: { 'x-stream-offset': 'last' } })
    }
    expect(await refusalOf(model, read)).toBeUndefined()
  })

  const acts: [string, Act][] = [
    ['publish keys', (channel) => publish(channel, keysTopology.exchange, '')],
    ['publish live clicks', (channel) => publish(channel, liveTopology.exchange, '')],
    ['read live clicks', (channel) => channel.consume(liveTopology.stream, () => {})],
    ['publish to the stream of the keys past its exchange', (channel) => publish(channel, '', keysTopology.stream)],
    ['delete the stream of the keys', (channel) => channel.deleteQueue(keysTopology.stream)],
    [
      'declare the stream of the keys',
      (channel) => channel.assertQueue(keysTopology.stream, { durable: true, arguments: keysStreamArguments }),
    ],
    ['unbind the stream of the keys', (channel) => channel.unbindQueue(keysTopology.stream, keysTopology.exchange, '')],
    ...queueNames.flatMap((queue): [string, Act][] => [
      [`declare the queue ${queue}`, (channel) => channel.assertQueue(queue, quorum)],
      [`delete the queue ${queue}`, (channel) => channel.deleteQueue(queue)],
      [`purge the queue ${queue}`, (channel) => channel.purgeQueue(queue)],
      [`consume from ${queue}`, (channel) => channel.consume(queue, () => {})],
      [`get from ${queue}`, (channel) => channel.get(queue)],
      [`publish to the queue ${queue} past its exchange`, (channel) => publish(channel, '', queue)],
      [`bind ${queue}`, (channel) => channel.bindQueue(queue, topology.exchange, 'other')],
      [`unbind ${queue}`, (channel) => channel.unbindQueue(queue, topology.exchange, topology.routingKey)],
    ]),
    ...exchanges.flatMap((exchange): [string, Act][] => [
      [`declare the exchange ${exchange}`, (channel) => channel.assertExchange(exchange, 'direct', { durable: true })],
      [`delete the exchange ${exchange}`, (channel) => channel.deleteExchange(exchange)],
      [`bind the exchange ${exchange}`, (channel) => channel.bindExchange(topology.deadExchange, exchange, 'other')],
    ]),
    ['publish a dead letter', (channel) => publish(channel, topology.deadExchange, topology.routingKey)],
    ['publish to amq.direct', (channel) => publish(channel, 'amq.direct', topology.routingKey)],
    ['declare a queue of its own', (channel) => channel.assertQueue('other', { durable: true })],
    ['declare a queue without a name', (channel) => channel.assertQueue('', { exclusive: true })],
  ]

  test('may not declare, delete, purge, bind, consume, or publish elsewhere', async () => {
    const broker = await createTestBroker()
    broker.channel.publish(topology.exchange, topology.routingKey, Buffer.from('x'))
    await broker.channel.waitForConfirms()
    const model = await connectAs(broker, 'ingest')
    const refusals = []
    for (const [name, act] of acts) refusals.push([name, await refusalOf(model, act)])
    expect(refusals).toEqual(acts.map(([name]) => [name, accessRefused]))
    expect(await broker.depth()).toBe(1)
  })
})

describe("the broker's user processor", () => {
  test('may declare the topology again after a deletion, and consume', async () => {
    const broker = await createTestBroker()
    for (const queue of queueNames) await broker.channel.deleteQueue(queue)
    for (const exchange of exchanges) await broker.channel.deleteExchange(exchange)
    const model = await connectAs(broker, 'processor')
    expect(await refusalOf(model, assertTopology)).toBeUndefined()
    for (const queue of queueNames) {
      expect(await refusalOf(model, (channel) => channel.consume(queue, () => {})), queue).toBeUndefined()
    }
  })

  test('may declare an exclusive queue, which shows others when its connection has ended', async () => {
    const broker = await createTestBroker()
    const [marked, other] = [await connectAs(broker, 'processor'), await connectAs(broker, 'processor')]
    const marker = newMarkerName()
    await markConnection(await marked.createChannel(), marker)
    expect(await isConnectionDropped(marked, marker)).toBe(false)
    expect(await isConnectionDropped(other, marker)).toBe(false)
    await marked.close()
    await expect.poll(() => isConnectionDropped(other, marker)).toBe(true)
  })

  test('may publish to the suspects', async () => {
    const broker = await createTestBroker()
    const model = await connectAs(broker, 'processor')
    const { deadExchange, suspectKey, suspectQueue } = topology
    expect(await refusalOf(model, (channel) => publish(channel, deadExchange, suspectKey))).toBeUndefined()
    expect(await broker.depth(suspectQueue)).toBe(1)
  })

  test('may declare the stream of the live clicks and publish to it', async () => {
    const broker = await createTestBroker()
    await broker.channel.deleteQueue(liveTopology.stream)
    await broker.channel.deleteExchange(liveTopology.exchange)
    const model = await connectAs(broker, 'processor')
    expect(await refusalOf(model, assertLiveTopology)).toBeUndefined()
    expect(await refusalOf(model, (channel) => publish(channel, liveTopology.exchange, ''))).toBeUndefined()
  })

  test('may not publish clicks, or access foreign queues and exchanges', async () => {
    const broker = await createTestBroker()
    await broker.channel.assertQueue('other', { durable: true })
    const model = await connectAs(broker, 'processor')
    const acts: [string, Act][] = [
      ['publish clicks', (channel) => publish(channel, topology.exchange, topology.routingKey)],
      ['publish to a queue past its exchange', (channel) => publish(channel, '', topology.queue)],
      ['consume from another queue', (channel) => channel.consume('other', () => {})],
      ['delete another queue', (channel) => channel.deleteQueue('other')],
      ['bind another queue', (channel) => channel.bindQueue('other', topology.exchange, topology.routingKey)],
      ['bind to another exchange', (channel) => channel.bindQueue(topology.queue, 'amq.direct', 'x')],
      ['declare a queue of its own', (channel) => channel.assertQueue('mine', { durable: true })],
    ]
    const refusals = []
    for (const [name, act] of acts) refusals.push([name, await refusalOf(model, act)])
    expect(refusals).toEqual(acts.map(([name]) => [name, accessRefused]))
  })
})

test('the definitions create the whole topology', async () => {
  const broker = await createTestBroker()
  const before = await topologyOf(broker)
  for (const queue of queueNames) await broker.channel.deleteQueue(queue)
  for (const exchange of exchanges) await broker.channel.deleteExchange(exchange)
  const all = brokerDefinitions(() => '') as Record<string, object[]>
  const { queues, exchanges: direct, bindings } = all
  await broker.manage('POST', '/definitions/{vhost}', { queues, exchanges: direct, bindings })
  expect(await topologyOf(broker)).toEqual(before)
  // Importing again, or declaring, changes nothing.
  await broker.manage('POST', '/definitions/{vhost}', { queues, exchanges: direct, bindings })
  await assertTopology(broker.channel)
  expect(await topologyOf(broker)).toEqual(before)
})

async function topologyOf(broker: TestBroker): Promise<unknown> {
  const pick = async (what: 'exchanges' | 'queues' | 'bindings', keys: readonly string[]) =>
    ((await broker.manage('GET', `/${what}/{vhost}`)) as Record<string, unknown>[])
      .map((each) => JSON.stringify(keys.map((key) => each[key])))
      .sort()
  return {
    exchanges: await pick('exchanges', ['name', 'type', 'durable', 'auto_delete', 'internal', 'arguments']),
    queues: await pick('queues', ['name', 'durable', 'auto_delete', 'arguments']),
    bindings: await pick('bindings', ['source', 'destination', 'destination_type', 'routing_key', 'arguments']),
  }
}
