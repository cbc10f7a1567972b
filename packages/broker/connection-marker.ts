import { randomUUID } from 'node:crypto'
import type { Channel, ChannelModel } from 'amqplib'

const notFound = 404
const lockedByAnother = 405

/** The names that newMarkerName() gives, as a regular expression. */
export const markerPattern = '^clicks\\.connection\\.[0-9a-f-]{36}$'

/**
 * A name for the marker of a connection: an exclusive queue, which the broker deletes when it drops the connection. While
 * it exists, the broker may hold messages for that connection's consumers; once it is gone, it has taken them back.
 */
export function newMarkerName(): string {
  return `clicks.connection.${randomUUID()}`
}

/** Marks the connection of this channel. @throws 403 where the user may not declare `clicks.connection.*`. */
export async function markConnection(channel: Channel, marker: string): Promise<void> {
  await channel.assertQueue(marker, { exclusive: true, durable: false, autoDelete: false })
}

/**
 * Whether the broker has dropped the connection with this marker.
 *
 * @param model a connection of the caller's own: a channel is opened on it, which the answer closes
 * @throws when the broker does not say so either way
 */
export async function isConnectionDropped(model: ChannelModel, marker: string): Promise<boolean> {
  const channel = await model.createChannel()
  // The refusal closes the channel, and without a listener that ends the process.
  channel.on('error', () => {})
  try {
    await channel.checkQueue(marker)
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === notFound) return true
    if (code === lockedByAnother) return false
    throw error
  }
  // It is the caller's own connection.
  await channel.close()
  return false
}
