import type { Channel, ChannelModel } from 'amqplib'

/**
 * The stream that carries key snapshots (packages/keys/key-snapshot.ts) from services/auth to every ingest. A stream, because
 * each reader sees every message and a new reader can start at the last one.
 */
export const keysTopology = {
  /** A fanout exchange; only the user `auth` may publish to it. */
  exchange: 'keys.changes',
  stream: 'keys',
} as const

/**
 * Snapshots replace each other: an hour is plenty. The salts of derived visitors are in them, which must not stay for days.
 *
 * RabbitMQ deletes whole segments only, except for the one that is being written, and only when it begins a new one (seen with
 * 3.10: an idle stream keeps everything). With segments of 64 kB, an auth that publishes every 15 s begins a new one at least every
 * 20 minutes. So a snapshot is deleted within one and a half hours, while auth runs.
 */
export const keysStreamArguments = {
  'x-queue-type': 'stream',
  'x-max-age': '1h',
  'x-max-length-bytes': 20_000_000,
  'x-stream-max-segment-size-bytes': 64_000,
} as const

/**
 * Declares exchange, stream and binding; does nothing where they exist. The broker creates them from its definitions when it
 * starts; this is for what was deleted since.
 */
export async function assertKeysTopology(channel: Channel): Promise<void> {
  const { exchange, stream } = keysTopology
  await channel.assertExchange(exchange, 'fanout', { durable: true, autoDelete: false })
  await channel.assertQueue(stream, {
    durable: true,
    autoDelete: false,
    exclusive: false,
    arguments: keysStreamArguments,
  })
  await channel.bindQueue(stream, exchange, '')
}

/**
 * Deletes the stream if it has other arguments, those of an earlier version. Nothing is lost: the next snapshot replaces all
 * before it.
 */
export async function deleteOutdatedStream(model: ChannelModel): Promise<void> {
  // A failure closes the channel, so it has one of its own.
  const channel = await model.createChannel()
  channel.on('error', () => {})
  try {
    await assertKeysTopology(channel)
    await channel.close()
  } catch (error) {
    if ((error as { code?: unknown }).code !== preconditionFailed) throw error
    const deleting = await model.createChannel()
    await deleting.deleteQueue(keysTopology.stream)
    await deleting.close()
  }
}

const preconditionFailed = 406
