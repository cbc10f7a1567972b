import type { Channel } from 'amqplib'

/**
 * The names at the broker. A click is published to the exchange `clicks.incoming` and waits in the queue `clicks`. What was
 * with processors that died of it, or beside it, is moved to `clicks.suspect`, to be taken one by one; what they die of there
 * too ends in `clicks.dead`. No exchange has the name of a queue: rights are given by name, and who may
 * bind to an exchange must not be able to consume from a queue.
 */
export const topology = {
  exchange: 'clicks.incoming',
  queue: 'clicks',
  routingKey: 'clicks',
  deadExchange: 'clicks.dlx',
  suspectQueue: 'clicks.suspect',
  suspectKey: 'suspect',
  deadQueue: 'clicks.dead',
} as const

/**
 * Declares exchanges, queues and bindings; does nothing where they exist. Only what can never change is an argument here
 * (the queue's type): limits and dead-lettering are a policy (see definitions.ts), because an argument can't be changed
 * without deleting the queue.
 *
 * @throws when an exchange or queue of that name exists with other properties (406), or the user may not declare (403).
 */
export async function assertTopology(channel: Channel): Promise<void> {
  const quorum = { durable: true, autoDelete: false, exclusive: false, arguments: { 'x-queue-type': 'quorum' } }
  await channel.assertExchange(topology.deadExchange, 'direct', { durable: true, autoDelete: false })
  await channel.assertQueue(topology.deadQueue, quorum)
  await channel.bindQueue(topology.deadQueue, topology.deadExchange, topology.routingKey)
  await channel.assertQueue(topology.suspectQueue, quorum)
  await channel.bindQueue(topology.suspectQueue, topology.deadExchange, topology.suspectKey)
  await channel.assertExchange(topology.exchange, 'direct', { durable: true, autoDelete: false })
  await channel.assertQueue(topology.queue, quorum)
  await channel.bindQueue(topology.queue, topology.exchange, topology.routingKey)
}
