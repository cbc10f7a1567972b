import { assertTopology } from '@clicktally/broker/topology.ts'
import { clicksMessageType } from '@clicktally/contract/message-type.ts'
import { StampedChannel } from '@clicktally/ingest/stamped-channel.ts'
import { type ConfirmChannel, connect } from 'amqplib'
import type { QueueMessage } from './queue-messages.ts'

export interface FillingOptions {
  /** Of the broker's operator. */
  readonly amqpUrl: string
  readonly signal: AbortSignal
  /** Told of each message that the broker has confirmed. */
  readonly onConfirmed?: (clicks: number) => void
  /** Asked before each message; resolves when there is room for it. */
  readonly untilRoom?: () => Promise<void>
}

type Settle = (failure?: string) => void
type Publish = (message: QueueMessage, settle: Settle) => void

/** Messages without a confirm, far fewer than what the ledger's stamps can name. */
const maxUnconfirmed = 64

/**
 * Puts messages on the queue `clicks`, as an ingest does: persistent, stamped for the ledger, each confirmed.
 *
 * @returns how many clicks were confirmed: all
 * @throws when the broker refuses a message, and the signal's reason when that is aborted
 */
export async function fillClicks(
  messages: Iterable<QueueMessage> | AsyncIterable<QueueMessage>,
  options: FillingOptions,
): Promise<number> {
  return await withChannel(options.amqpUrl, async (channel) => {
    await assertTopology(channel)
    const stamped = new StampedChannel(channel, undefined)
    return await publishAll(messages, options, ({ content, clicks }, settle) =>
      stamped.publish(content, clicks, (outcome) => settle(outcome === 'confirmed' ? undefined : outcome)),
    )
  })
}

/** Puts messages on a quorum queue of a peer, which it declares, persistent and each confirmed. */
export async function fillQueue(
  queue: string,
  messages: Iterable<QueueMessage>,
  options: FillingOptions,
): Promise<number> {
  return await withChannel(options.amqpUrl, async (channel) => {
    await channel.assertQueue(queue, { durable: true, autoDelete: false, arguments: { 'x-queue-type': 'quorum' } })
    return await publishAll(messages, options, ({ content }, settle) =>
      channel.publish(
        '',
        queue,
        content,
        { type: clicksMessageType, persistent: true, mandatory: true },
        (error: unknown) => settle(error ? 'refused' : undefined),
      ),
    )
  })
}

/** Does something at the broker over a connection made for it. */
export async function withChannel<Result>(
  amqpUrl: string,
  act: (channel: ConfirmChannel) => Promise<Result>,
): Promise<Result> {
  const connection = await connect(amqpUrl, { noDelay: true, timeout: 5_000 })
  connection.on('error', () => {})
  try {
    const channel = await connection.createConfirmChannel()
    channel.on('error', () => {})
    return await act(channel)
  } finally {
    await connection.close().catch(() => {})
  }
}

async function publishAll(
  messages: Iterable<QueueMessage> | AsyncIterable<QueueMessage>,
  { signal, onConfirmed, untilRoom }: FillingOptions,
  publish: Publish,
): Promise<number> {
  const unconfirmed = new Unconfirmed()
  const onAbort = () => unconfirmed.fail(signal.reason as Error)
  signal.addEventListener('abort', onAbort)
  let confirmed = 0
  try {
    for await (const message of messages) {
      await untilRoom?.()
      signal.throwIfAborted()
      await unconfirmed.untilBelow(maxUnconfirmed)
      unconfirmed.add()
      publish(message, (failure) => {
        unconfirmed.settle()
        if (failure !== undefined) {
          unconfirmed.fail(new Error(`the broker did not take a message: ${failure}`))
          return
        }
        confirmed += message.clicks
        onConfirmed?.(message.clicks)
      })
    }
    await unconfirmed.untilBelow(1)
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  return confirmed
}

/**
 * How many messages wait for their confirm, and who waits for them to become fewer. A broker that falls silent ends the
 * connection by its heartbeat, and that settles them all.
 */
class Unconfirmed {
  #count = 0
  #failure: Error | undefined
  #change = Promise.withResolvers<void>()

  add(): void {
    this.#count += 1
  }

  settle(): void {
    this.#count -= 1
    this.#wake()
  }

  fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  /** @throws what it failed with */
  async untilBelow(limit: number): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#count < limit) return
      await this.#change.promise
    }
  }

  #wake(): void {
    this.#change.resolve()
    this.#change = Promise.withResolvers()
  }
}
