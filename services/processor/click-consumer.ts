import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import { type DecodedMessage, decodeMessage } from '@clicktally/contract/clicks-message.ts'
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'
import type { Logger } from 'pino'
import type { BatchWriter } from './batch-writer.ts'
import { Batcher } from './batcher.ts'

export interface ClickConsumerOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  readonly writer: Pick<BatchWriter, 'write'>
  readonly maxClicks: number
  readonly flushAfterMs: number
  /** Messages that the broker may have delivered and not yet seen acknowledged. */
  readonly prefetch: number
}

const drainWithinMs = 12_000

interface Delivery {
  readonly message: ConsumeMessage
  readonly decoded: DecodedMessage
  readonly clicks: number
}

/**
 * Takes messages from the queue, has them written in batches, and acknowledges a batch's messages after the commit.
 *
 * A channel's life: consuming → (stop) cancelled, drained, closed; or → gone (connection lost, channel closed, consumer
 * cancelled by the broker): what was held is forgotten, since the broker delivers it again, and a new channel begins.
 * Where a batch that is being written belongs to a channel that is gone, its acknowledgement is dropped; the redelivered
 * messages are duplicates then, and change no count.
 */
export class ClickConsumer {
  readonly #options: ClickConsumerOptions
  readonly #link: BrokerLink
  readonly #batcher: Batcher<Delivery>
  #channel: Channel | undefined
  #consumerTag: string | undefined
  /** Aborted when the channel is gone. */
  #gone = new AbortController()
  /** The receipt of the newest click written, milliseconds since 1970. */
  #writtenThroughMs = 0

  constructor(options: ClickConsumerOptions) {
    this.#options = options
    this.#batcher = new Batcher({
      maxClicks: options.maxClicks,
      // Half of what may be under way, so that the broker sends the next half while this one is written.
      maxItems: Math.max(1, options.prefetch >> 1),
      flushAfterMs: options.flushAfterMs,
      write: (batch) => this.#write(batch),
    })
    this.#link = new BrokerLink({
      url: options.brokerUrl,
      name: 'clicktally processor',
      logger: options.logger,
      setUp: (model) => this.#setUp(model),
      onDown: () => this.#onDown(),
    })
  }

  get isConsuming(): boolean {
    return this.#consumerTag !== undefined
  }

  start(): void {
    this.#link.start()
  }

  /**
   * Up to when, in milliseconds since 1970, all that was accepted is written, as far as this processor can know. The
   * queue is first in, first out: now, if it is empty and nothing is held here, else the newest that was written.
   * Undefined while not consuming.
   */
  async progressMs(): Promise<number | undefined> {
    const channel = this.#channel
    if (channel === undefined || this.#consumerTag === undefined) return undefined
    const askedAtMs = Date.now()
    if (this.#batcher.isIdle) {
      const { messageCount } = await channel.checkQueue(topology.queue)
      if (messageCount === 0 && this.#batcher.isIdle)
        this.#writtenThroughMs = Math.max(this.#writtenThroughMs, askedAtMs)
    }
    return this.#writtenThroughMs || undefined
  }

  /** Takes no more, writes and acknowledges what is held, closes. */
  async close(): Promise<void> {
    const channel = this.#channel
    const consumerTag = this.#consumerTag
    this.#consumerTag = undefined
    if (channel !== undefined && consumerTag !== undefined) {
      try {
        await channel.cancel(consumerTag)
        // While the database is away a drain has no end: what is held goes back to the queue then.
        const giveUp = setTimeout(() => this.#gone.abort(new Error('drained for too long')), drainWithinMs)
        await this.#batcher.drain().finally(() => clearTimeout(giveUp))
        // After the acknowledgements, on the same channel: when this is answered they have arrived.
        await channel.close()
      } catch (error) {
        this.#options.logger.warn({ err: error }, 'the channel broke while draining')
      }
    }
    await this.#link.close()
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const channel = await model.createChannel()
    let cause = new Error('the broker closed the channel')
    channel.on('error', (error) => {
      cause = error
    })
    channel.on('close', () => this.#link.restart(cause))
    await assertTopology(channel)
    await channel.prefetch(this.#options.prefetch)
    this.#gone = new AbortController()
    this.#channel = channel
    const { consumerTag } = await channel.consume(
      topology.queue,
      (message) => {
        // Null: the broker cancelled us, because the queue was deleted or an acknowledgement took too long.
        if (message === null) this.#link.restart(new Error('the broker cancelled the consumer'))
        else this.#take(message)
      },
      { noAck: false },
    )
    this.#consumerTag = consumerTag
  }

  #onDown(): void {
    this.#gone.abort(new Error('the channel is gone'))
    this.#channel = undefined
    this.#consumerTag = undefined
    this.#batcher.discard()
  }

  #take(message: ConsumeMessage): void {
    const decoded = decodeMessage(message.properties.type, message.content)
    this.#batcher.add({ message, decoded, clicks: Math.max(1, decoded.clicks.length) })
  }

  async #write(batch: readonly Delivery[]): Promise<void> {
    const channel = this.#channel
    const gone = this.#gone.signal
    const last = batch.at(-1)
    if (channel === undefined || last === undefined) return
    try {
      const clicks = batch.flatMap(({ decoded }) => decoded.clicks)
      const undecodable = batch.flatMap(({ message, decoded }) =>
        decoded.undecodable.map((part) => ({ ...part, type: message.properties.type as string | undefined })),
      )
      await this.#options.writer.write({ clicks, undecodable }, gone)
      if (gone.aborted) return
      // Batches are written one after the other, in the order of delivery: all up to this one are done.
      channel.ack(last.message, true)
      for (const { receivedAtMs } of clicks) this.#writtenThroughMs = Math.max(this.#writtenThroughMs, receivedAtMs)
    } catch (error) {
      if (gone.aborted) return
      // Not of the database and not of the broker: a fault of ours. The messages go back, the process stays.
      this.#options.logger.error({ err: error }, 'batch failed unexpectedly')
      this.#link.restart(error as Error)
    }
  }
}
