import { clicksMessageType } from '@clicktally/message/clicks-message.ts'
import type { Channel, Options } from 'amqplib'

/** Declares a queue of the same kind as Clicktally's, which is on disk before a confirm. */
export async function assertClickQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertQueue(queue, {
    durable: true,
    autoDelete: false,
    exclusive: false,
    arguments: { 'x-queue-type': 'quorum' },
  })
}

/** The properties of a message with one click: Clicktally's, without the headers for the ledger. */
export function messageOptions(messageId: string): Options.Publish {
  return {
    type: clicksMessageType,
    contentType: 'application/x-ndjson',
    messageId,
    timestamp: Math.floor(Date.now() / 1000),
    persistent: true,
    mandatory: true,
  }
}
