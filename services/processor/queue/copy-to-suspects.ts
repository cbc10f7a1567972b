import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import { connect, type Message } from 'amqplib'

/**
 * Publishes copies of messages to the queue of suspects, from which processors consume one at a time. When it resolves, the
 * broker has confirmed all of them, and the originals may be acknowledged.
 *
 * Requeueing the originals would count towards RabbitMQ's delivery limit (up to 4.2 a `nack` does too), and repeated database
 * outages would turn accepted clicks into dead letters. A copy starts at 0. If both the original and the copy arrive, the ledger
 * recognises the second. Uses its own connection, because an alarm at the broker blocks publishing connections.
 *
 * @throws if the broker has not confirmed all of them within `timeoutMs`. Some may exist twice then.
 */
export async function copyToSuspects(
  brokerUrl: string,
  messages: readonly Message[],
  timeoutMs: number,
): Promise<void> {
  const connection = await connect(brokerUrl, {
    noDelay: true,
    timeout: timeoutMs,
    clientProperties: { connection_name: 'clicktally processor, hand back' },
  })
  connection.on('error', () => {})
  try {
    const channel = await connection.createConfirmChannel()
    channel.on('error', () => {})
    let unroutable = 0
    channel.on('return', () => {
      unroutable += 1
    })
    for (const { content, properties } of messages) {
      // Only the broker sets the delivery count.
      const { 'x-delivery-count': _, ...headers } = properties.headers ?? {}
      const options = { ...properties, headers, persistent: true, mandatory: true }
      channel.publish(topology.deadExchange, topology.suspectKey, content, options)
    }
    const late = sleep(timeoutMs, 'late' as const, { ref: false })
    if ((await Promise.race([channel.waitForConfirms(), late])) === 'late')
      throw new Error(`the broker did not confirm within ${timeoutMs} ms`)
    if (unroutable > 0) throw new Error(`${unroutable} messages were returned as unroutable`)
  } finally {
    // Not awaited: a blocked broker would not reply.
    connection.close().catch(() => {})
    const { stream } = connection.connection as unknown as { stream?: { destroy(): void } }
    setTimeout(() => stream?.destroy(), 1_000).unref()
  }
}
