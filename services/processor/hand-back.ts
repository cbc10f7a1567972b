import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import { connect, type Message } from 'amqplib'

/**
 * Publishes copies of messages to the queue of suspects, from where processors take them one by one. When it resolves, the
 * broker has all of them, and the originals may be acknowledged.
 *
 * Not returned to their own queue: RabbitMQ counts each return towards the delivery limit (up to 4.2 also a `nack`), and a
 * database that is away again and again would turn accepted clicks into dead letters. The count of a copy starts at 0. Where
 * both an original and its copy arrive, the ledger knows the second. On a connection of its own: an alarm at the broker blocks
 * those that publish.
 *
 * @throws when the broker has not confirmed all of them within `withinMs`. Some may be there twice then.
 */
export async function copyToSuspects(brokerUrl: string, messages: readonly Message[], withinMs: number): Promise<void> {
  const connection = await connect(brokerUrl, {
    noDelay: true,
    timeout: withinMs,
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
      // The count is the broker's to set.
      const { 'x-delivery-count': _, ...headers } = properties.headers ?? {}
      const options = { ...properties, headers, persistent: true, mandatory: true }
      channel.publish(topology.deadExchange, topology.suspectKey, content, options)
    }
    const late = sleep(withinMs, 'late' as const, { ref: false })
    if ((await Promise.race([channel.waitForConfirms(), late])) === 'late')
      throw new Error(`the broker did not confirm within ${withinMs} ms`)
    if (unroutable > 0) throw new Error(`${unroutable} messages were returned as unroutable`)
  } finally {
    // Not waited for: a broker that is blocked would not answer.
    connection.close().catch(() => {})
    const { stream } = connection.connection as unknown as { stream?: { destroy(): void } }
    setTimeout(() => stream?.destroy(), 1_000).unref()
  }
}
