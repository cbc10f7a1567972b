import type { Channel } from 'amqplib'

/**
 * The names at the broker. Clicks are published to the exchange `clicks.incoming` and wait in the queue `clicks`. Messages that
 * were in the hands of processors that crashed move to `clicks.suspect`, where they are consumed one by one. Those that crash
 * processors there too move to `clicks.dead`. No exchange has the name of a queue: permissions are granted by name, and a user
 * who may bind to an exchange must not be able to consume from a queue.
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

/** All exchanges are direct and durable. */
export const exchanges = [topology.deadExchange, topology.exchange] as const

/** All queues are durable quorum queues, each bound to its exchange by this key. */
export const queues = [
  { name: topology.deadQueue, exchange: topology.deadExchange, routingKey: topology.routingKey },
  { name: topology.suspectQueue, exchange: topology.deadExchange, routingKey: topology.suspectKey },
  { name: topology.queue, exchange: topology.exchange, routingKey: topology.routingKey },
] as const

/**
 * Only the queue's type is an argument, as arguments cannot be changed without deleting the queue. Limits and dead-lettering
 * are policies (see definitions.ts).
 */
export const queueArguments = { 'x-queue-type': 'quorum' } as const

/**
 * Declares exchanges, queues and bindings, unless they exist. The broker creates them from its definitions when it starts; this
 * restores what was deleted since.
 *
 * @throws if an exchange or queue of that name exists with other properties (406), or the user may not declare (403).
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
 * Checks that clicks can be published, for a user who may not declare. It cannot check that the queue and its binding exist:
 * clicks that are published without them are returned.
 *
 * @throws if the exchange is missing. This closes the channel.
 */
export async function checkPublishing(channel: Channel): Promise<void> {
  try {
    await channel.checkExchange(topology.exchange)
  } catch (cause) {
    if ((cause as { code?: number }).code !== 404) throw cause
    throw new Error(
      `the broker has no exchange ${topology.exchange}: the broker creates it from its definitions at startup, and a processor restores it after a deletion`,
      { cause },
    )
  }
}
