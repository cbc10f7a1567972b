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

/** All of them direct and durable. */
export const exchanges = [topology.deadExchange, topology.exchange] as const

/** All of them durable quorum queues; each is bound to its exchange by this key. */
export const queues = [
  { name: topology.deadQueue, exchange: topology.deadExchange, routingKey: topology.routingKey },
  { name: topology.suspectQueue, exchange: topology.deadExchange, routingKey: topology.suspectKey },
  { name: topology.queue, exchange: topology.exchange, routingKey: topology.routingKey },
] as const

/**
 * Only what can never change is an argument (the queue's type): limits and dead-lettering are a policy (see definitions.ts),
 * because an argument can't be changed without deleting the queue.
 */
export const queueArguments = { 'x-queue-type': 'quorum' } as const

/**
 * Declares exchanges, queues and bindings; does nothing where they exist. The broker makes them from its definitions when it
 * starts; this is for what was deleted since.
 *
 * @throws when an exchange or queue of that name exists with other properties (406), or the user may not declare (403).
 */
export async function assertTopology(channel: Channel): Promise<void> {
  for (const name of exchanges) await channel.assertExchange(name, 'direct', { durable: true, autoDelete: false })
  const options = { durable: true, autoDelete: false, exclusive: false, arguments: queueArguments }
  for (const { name, exchange, routingKey } of queues) {
    await channel.assertQueue(name, options)
    await channel.bindQueue(name, exchange, routingKey)
  }
}

/**
 * Checks that clicks can be published, for a user who may declare nothing. That the queue and its binding exist can't be
 * asked with his rights: a click published without them is returned.
 *
 * @throws when the exchange is missing; the channel is closed then.
 */
export async function checkPublishing(channel: Channel): Promise<void> {
  try {
    await channel.checkExchange(topology.exchange)
  } catch (cause) {
    if ((cause as { code?: number }).code !== 404) throw cause
    throw new Error(
      `the broker has no exchange ${topology.exchange}: it makes it from its definitions when it starts, and a processor makes what was deleted since`,
      { cause },
    )
  }
}
