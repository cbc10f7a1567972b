import type { Channel } from 'amqplib'

/**
 * The stream that carries counted clicks (packages/message/live-message.ts) from every processor to every api. A stream, because
 * each reader sees every message, its offsets are the same for all readers, and a reader may not need any right but to read.
 */
export const liveTopology = {
  /** A fanout exchange; only the user `processor` may publish to it. */
  exchange: 'live.clicks',
  stream: 'live',
} as const

/**
 * An api reads the last minutes when it starts; nothing is read later. RabbitMQ deletes whole segments only, so a quiet stream
 * keeps up to 4 MB for longer than five minutes.
 */
export const liveStreamArguments = {
  'x-queue-type': 'stream',
  'x-max-age': '5m',
  'x-max-length-bytes': 64_000_000,
  'x-stream-max-segment-size-bytes': 4_000_000,
} as const

/**
 * Declares exchange, stream and binding; does nothing where they exist. The broker creates them from its definitions when it
 * starts; this is for what was deleted since.
 */
export async function assertLiveTopology(channel: Channel): Promise<void> {
  const { exchange, stream } = liveTopology
  await channel.assertExchange(exchange, 'fanout', { durable: true, autoDelete: false })
  await channel.assertQueue(stream, {
    durable: true,
    autoDelete: false,
    exclusive: false,
    arguments: liveStreamArguments,
  })
  await channel.bindQueue(stream, exchange, '')
}
