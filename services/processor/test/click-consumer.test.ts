import { topology } from '@clicktally/broker/topology.ts'
import { clicksMessageType, encodeClick } from '@clicktally/message/clicks-message.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { TcpProxy } from '@clicktally/testing/tcp-proxy.ts'
import { createTestBroker, type TestBroker } from '@clicktally/testing/test-broker.ts'
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { ConsumedQueue } from '../queue/batch-reader.ts'
import { ClickConsumer } from '../queue/click-consumer.ts'
import { ClickBatch } from '../rows/click-batch.ts'
import { createClick } from './processor-under-test.ts'

/** A broker behind a proxy, with a click in each of these queues. */
async function createBroker(...queues: readonly ConsumedQueue[]) {
  const broker = await createTestBroker()
  const url = new URL(await broker.urlAs('processor'))
  const proxy = await TcpProxy.open({ host: url.hostname, port: Number(url.port) })
  onTestFinished(() => proxy.close())
  for (const queue of queues) await send(broker, queue)
  return { broker, proxy, url: Object.assign(url, { hostname: '127.0.0.1', port: String(proxy.port) }).href }
}

async function send({ channel }: TestBroker, queue: ConsumedQueue): Promise<void> {
  channel.sendToQueue(queue, Buffer.from(encodeClick(createClick())), { type: clicksMessageType, persistent: true })
  await channel.waitForConfirms()
}

/** A consumer of a database that answers when the test says so. */
async function startConsumer(brokerUrl: string, queue: ConsumedQueue) {
  const writes: PromiseWithResolvers<void>[] = []
  const consumer = new ClickConsumer({
    ...{ brokerUrl, queue, logger: pino({ level: 'silent' }), untilReady: async () => {} },
    ...{ maxClicks: 1_000, flushAfterMs: 1, prefetch: 100 },
    writer: {
      prepare: (messages) => new ClickBatch(messages),
      async write(_, abandoned) {
        const written = Promise.withResolvers<void>()
        abandoned.addEventListener('abort', () => written.reject(abandoned.reason))
        writes.push(written)
        await written.promise
      },
    },
  })
  onTestFinished(() => consumer.close())
  consumer.start()
  await vi.waitFor(() => expect(writes).toHaveLength(1), patience)
  return { consumer, writes }
}

/** Calls this when somebody opens a connection, as to hand messages back. */
function onConnection(proxy: TcpProxy, act: () => boolean) {
  return proxy.cutWhen('toServer', (chunk) => chunk.subarray(0, 4).toString() === 'AMQP' && act(), 1)
}

test('a consumer whose hand-back fails after everything was written consumes again', async () => {
  const { broker, proxy, url } = await createBroker(topology.queue)
  const { consumer, writes } = await startConsumer(url, topology.queue)
  const cutting = onConnection(proxy, () => {
    writes[0]?.resolve()
    return true
  })
  consumer.release(new Error('progress could not be reported'))
  await vi.waitFor(() => expect(cutting.cuts).toBe(1), patience)
  await send(broker, topology.queue)
  await vi.waitFor(() => expect(writes).toHaveLength(2), patience)
  writes[1]?.resolve()
  await vi.waitFor(() => expect(consumer.unackedMessages).toBe(0), patience)
  expect(await broker.depth(topology.suspectQueue)).toBe(0)
})

test('a consumer that stops without a database does not claim what it holds, and hands it back, but no dead letters', async () => {
  const { broker, proxy, url } = await createBroker(topology.queue, topology.deadQueue)
  const { consumer } = await startConsumer(url, topology.queue)
  const { consumer: ofDead } = await startConsumer(url, topology.deadQueue)
  const before = (await consumer.look(true)).countedThroughMs
  let during: ReturnType<ClickConsumer['look']> | undefined
  onConnection(proxy, () => {
    during = consumer.look(true)
    return false
  })
  await Promise.all([consumer.close(), ofDead.close()])
  expect(during).toBeDefined()
  expect((await during)?.countedThroughMs).toBe(before)
  await vi.waitFor(async () => {
    const depths = [topology.queue, topology.suspectQueue, topology.deadQueue].map((queue) => broker.depth(queue))
    expect(await Promise.all(depths)).toEqual([0, 1, 1])
  }, patience)
})
