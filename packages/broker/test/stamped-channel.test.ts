import { readStamp } from '@clicktally/message/ledger-stamp.ts'
import { createTestBroker } from '@clicktally/testing/test-broker.ts'
import { connect } from 'amqplib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Outcome, StampedChannel } from '../stamped-channel.ts'
import { assertTopology, topology } from '../topology.ts'

async function createBench() {
  const broker = await createTestBroker()
  const model = await connect(broker.url)
  model.on('error', () => {})
  onTestFinished(() => model.close().catch(() => {}))
  const channel = await model.createConfirmChannel()
  channel.on('error', () => {})
  await assertTopology(channel)
  const stamped = new StampedChannel(channel, { appId: 'test' })
  const publish = (text: string, clicks: number, type?: string | null) =>
    new Promise<Outcome>((resolve) => {
      stamped.publish(Buffer.from(text), clicks, resolve, type)
    })
  const receive = async () => {
    const message = await channel.get(topology.queue, { noAck: true })
    if (message === false) throw new Error('a message was expected')
    return message
  }
  return { channel, stamped, publish, receive }
}

describe('a stamped channel', () => {
  test('publishes persistent messages that carry a stamp', async () => {
    const { stamped, publish, receive } = await createBench()
    expect(await publish('one\ntwo', 2)).toBe('confirmed')
    expect(stamped).toMatchObject({ confirmed: 1, hasPending: false, hasUnreportedConfirms: true })
    const { content, properties } = await receive()
    expect(content.toString()).toBe('one\ntwo')
    expect(properties).toMatchObject({ type: 'clicks.v2', appId: 'test', deliveryMode: 2 })
    expect(readStamp(properties.headers)).toMatchObject({ sequence: 1, clicks: 2, settled: 0, confirmed: 0 })
    await new Promise<Outcome>((resolve) => stamped.report(resolve))
    const report = await receive()
    expect(report.content).toHaveLength(0)
    expect(readStamp(report.properties.headers)).toMatchObject({ sequence: 2, clicks: 0, settled: 1, confirmed: 2 })
    expect(stamped.hasUnreportedConfirms).toBe(false)
  })

  test('publishes with another type, or without one', async () => {
    const { publish, receive } = await createBench()
    await publish('x', 1, 'clicks.v0')
    expect((await receive()).properties.type).toBe('clicks.v0')
    await publish('x', 1, null)
    expect((await receive()).properties.type).toBeUndefined()
  })

  test('distinguishes an unroutable message, which the broker also confirms, from a confirmed one', async () => {
    const { channel, stamped, publish } = await createBench()
    await channel.unbindQueue(topology.queue, topology.exchange, topology.routingKey)
    expect(await publish('lost', 3)).toBe('returned')
    await channel.bindQueue(topology.queue, topology.exchange, topology.routingKey)
    expect(await publish('kept', 1)).toBe('confirmed')
    expect(stamped.close()).toMatchObject({ confirmed: 1, unknown: [] })
  })

  test('reports no outcome after close(), and leaves the message of unknown outcome', async () => {
    const { channel, stamped } = await createBench()
    const outcomes: Outcome[] = []
    stamped.publish(Buffer.from('x'), 1, (outcome) => outcomes.push(outcome))
    expect(stamped.hasPending).toBe(true)
    expect(stamped.close()).toMatchObject({ confirmed: 0, unknown: [1] })
    await channel.waitForConfirms()
    expect(outcomes).toEqual([])
  })
})
