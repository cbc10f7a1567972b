import { randomUUID } from 'node:crypto'
import type { Channel, ChannelModel } from 'amqplib'

const notFound = 404
const lockedByAnother = 405

/** Matches the names that newMarkerName() generates. */
export const markerPattern = '^clicks\\.connection\\.[0-9a-f-]{36}$'

/**
 * Generates the name of a connection's marker: an exclusive queue, which the broker deletes when the connection ends. While
 * the queue exists, messages may still be assigned to the connection's consumers. Once it is deleted, they are requeued.
 */
export function newMarkerName(): string {
  return `clicks.connection.${randomUUID()}`
}

/** Marks the connection of this channel. @throws 403 if the user may not declare `clicks.connection.*`. */
export async function markConnection(channel: Channel, marker: string): Promise<void> {
  await channel.assertQueue(marker, { exclusive: true, durable: false, autoDelete: false })
}

/**
 * Whether the broker has dropped the connection with this marker.
 *
 * @param model the connection to ask on. A channel is opened on it, and closed again.
 * @throws if the broker gives neither answer.
 */
export async function isConnectionDropped(model: ChannelModel, marker: string): Promise<boolean> {
  const channel = await model.createChannel()
  // A refusal closes the channel with an error, which would end the process without a listener.
  channel.on('error', () => {})
  try {
    await channel.checkQueue(marker)
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === notFound) return true
    if (code === lockedByAnother) return false
    throw error
  }
  // Allowed, so it is the marker of this very connection.
  await channel.close()
  return false
}
