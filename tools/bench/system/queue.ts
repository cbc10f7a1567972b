import { closeConnection, connectToBroker } from '@clicktally/broker/broker-connection.ts'
import { StampedChannel } from '@clicktally/broker/stamped-channel.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { clicksMessageType } from '@clicktally/message/message-type.ts'
import type { QueueMessage } from '@clicktally/synthetic-clicks/click-messages.ts'
import type { ConfirmChannel } from 'amqplib'

export interface FillingOptions {
  readonly amqpUrl: string
  readonly signal: AbortSignal
  /** Called with the number of clicks confirmed so far; the next messages wait until it resolves. */
  readonly onConfirmed?: (clicks: number) => void | Promise<void>
}

/** Two groups of this size are unconfirmed at a time: far fewer messages than the ledger can track. */
const groupSize = 32

/**
 * Puts messages into the queue `clicks` as ingest does: persistent, with a stamp for the ledger, confirmed.
 *
 * @returns the number of clicks
 * @throws when the broker rejects a message
 */
export async function fillClicks(messages: Iterable<QueueMessage>, options: FillingOptions): Promise<number> {
  return await withChannel(options.amqpUrl, async (channel) => {
    const stamped = new StampedChannel(channel, { appId: 'ingest' })
    return await publishAll(messages, options, ({ content, clicks }, settle) =>
      stamped.publish(content, clicks, (outcome) => settle(outcome === 'confirmed')),
    )
  })
}

/** Puts messages into the quorum queue of an alternative design, after declaring it. */
export async function fillQueue(queue: string, messages: Iterable<QueueMessage>, options: FillingOptions) {
  await withChannel(options.amqpUrl, async (channel) => {
    await channel.assertQueue(queue, { durable: true, autoDelete: false, arguments: { 'x-queue-type': 'quorum' } })
    const publishOptions = { type: clicksMessageType, persistent: true, mandatory: true }
    await publishAll(messages, options, ({ content }, settle) =>
      channel.publish('', queue, content, publishOptions, (error: unknown) => settle(!error)),
    )
  })
}

export async function purgeClicks(amqpUrl: string): Promise<void> {
  await withChannel(amqpUrl, (channel) => channel.purgeQueue(topology.queue))
}

/** Uses a connection that is opened for this call. */
export async function withChannel<Result>(
  amqpUrl: string,
  act: (channel: ConfirmChannel) => Promise<Result>,
): Promise<Result> {
  const connection = await connectToBroker(amqpUrl, 'bench', 5_000)
  connection.on('error', () => {})
  try {
    const channel = await connection.createConfirmChannel()
    channel.on('error', () => {})
    return await act(channel)
  } finally {
    await closeConnection(connection)
  }
}

async function publishAll(
  messages: Iterable<QueueMessage>,
  { signal, onConfirmed }: FillingOptions,
  publish: (message: QueueMessage, settle: (confirmed: boolean) => void) => void,
): Promise<number> {
  let confirmed = 0
  let previous: Promise<unknown> = Promise.resolve()
  const publishOne = async (message: QueueMessage) => {
    const settled = Promise.withResolvers<boolean>()
    publish(message, settled.resolve)
    if (!(await settled.promise)) throw new Error('the broker rejected a message')
    confirmed += message.clicks
  }
  for (const group of groupsOf(messages)) {
    signal.throwIfAborted()
    const current = Promise.all(group.map(publishOne))
    // Reported by the `await` below.
    current.catch(() => {})
    await previous
    await onConfirmed?.(confirmed)
    previous = current
  }
  await previous
  await onConfirmed?.(confirmed)
  return confirmed
}

function* groupsOf(messages: Iterable<QueueMessage>): Generator<QueueMessage[]> {
  let group: QueueMessage[] = []
  for (const message of messages) {
    group.push(message)
    if (group.length < groupSize) continue
    yield group
    group = []
  }
  yield group
}
