import { clicksMessageType } from '@clicktally/contract/clicks-message.ts'
import { type Channel, type ChannelModel, connect, type Options } from 'amqplib'

/** One connection, for the life of the process: when it ends, so does the comparison. */
export async function connectPeer(brokerUrl: string, name: string): Promise<ChannelModel> {
  return await connect(brokerUrl, {
    // amqplib leaves Nagle on, which would delay each confirm.
    noDelay: true,
    keepAlive: true,
    timeout: 5_000,
    clientProperties: { connection_name: name },
  })
}

/** A queue of the same kind as Clicktally's: replicated by a log, written to disk before a confirm. */
export async function assertClickQueue(channel: Channel, queue: string): Promise<void> {
  await channel.assertQueue(queue, {
    durable: true,
    autoDelete: false,
    exclusive: false,
    arguments: { 'x-queue-type': 'quorum' },
  })
}

/** How a message with one click is published: as Clicktally's, but for the ledger's headers. */
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
