import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { isConnectionDropped, markConnection, newMarkerName } from '@clicktally/broker/connection-marker.ts'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import type { Channel, ChannelModel, GetMessage, Message } from 'amqplib'
import type { Logger } from 'pino'
import type { View, WatchedConsumer } from '../progress/watched-consumers.ts'
import { firstReceivedAtMs } from '../rows/consumed-message.ts'
import { BatchReader, type ConsumedQueue, type DeliveredBatch } from './batch-reader.ts'
import type { BatchWriter } from './batch-writer.ts'
import { Batcher } from './batcher.ts'
import { copyToSuspects } from './copy-to-suspects.ts'
import { DatabaseUnavailable } from './failure-policy.ts'
import { QueueObserver } from './queue-observer.ts'
import { type Delivery, UnackedDeliveries } from './unacked-deliveries.ts'

export interface ClickConsumerOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  readonly writer: Pick<BatchWriter, 'prepare' | 'write'>
  /** Resolves when messages may be consumed. Called for each new channel; `gone` is aborted with it. `marker`: of its connection. */
  readonly untilReady: (marker: string, gone: AbortSignal) => Promise<void>
  /** Called when a connection is lost for which untilReady was called. */
  readonly onLost?: (marker: string) => void
  /** Called after messages are counted that were delivered before: whoever had them may have counted them, and told nobody. */
  readonly onReturned?: () => void
  readonly queue: ConsumedQueue
  readonly maxClicks: number
  readonly flushAfterMs: number
  /** Maximum number of unacknowledged messages. */
  readonly prefetch: number
}

const drainTimeoutMs = 12_000
/** Together with the drain below the 25 s that the process may take to stop. */
const copyTimeoutMs = 5_000
/**
 * Consumes messages from a queue, has them written in batches, and acknowledges the messages of a batch after the commit.
 *
 * States of a channel: waiting for the database → consuming → (stop) cancelled, drained, closed; or → (the database has been
 * unavailable for too long) cancelled, unacknowledged messages copied to the queue of suspects and acknowledged, closed; or →
 * gone (connection lost, channel closed, consumer cancelled by the broker). Then the unacknowledged messages are dropped, since
 * the broker redelivers them, and a new channel is opened. A batch still being written for a channel that is gone is not
 * acknowledged; its messages are redelivered, found in the ledger, and change nothing.
 *
 * After a hand-back the next channel consumes one message at a time until one is written.
 */
export class ClickConsumer implements WatchedConsumer {
  readonly #options: ClickConsumerOptions
  readonly #link: BrokerLink
  readonly #batcher: Batcher<Delivery, DeliveredBatch>
  readonly #reader: BatchReader
  readonly #observer: QueueObserver
  readonly #unacked = new UnackedDeliveries()
  #model: ChannelModel | undefined
  #channel: Channel | undefined
  #marker = ''
  #consumerTags: string[] = []
  /** Whether the broker may have assigned messages to the current channel. */
  #mayHold = false
  #takesOneAtATime = false
  #closed = false
  /** Aborted when the channel is gone. */
  #gone = new AbortController()
  #handingBack: Promise<boolean> | undefined

  constructor(options: ClickConsumerOptions) {
    this.#options = options
    this.#reader = new BatchReader(options.queue, options.writer)
    this.#batcher = new Batcher({
      maxClicks: options.maxClicks,
      // Half of the prefetch, so that the broker sends the next half while this one is written.
      maxItems: Math.max(1, options.prefetch >> 1),
      flushAfterMs: options.flushAfterMs,
      prepare: (deliveries) => this.#reader.prepare(deliveries),
      write: (batch) => this.#write(batch),
    })
    this.#observer = new QueueObserver({
      queue: options.queue,
      prefetch: options.prefetch,
      unacked: this.#unacked,
      // While messages are copied to the suspects at the end, the batcher is idle and they are still held.
      isIdle: () => this.#batcher.isIdle && this.#unacked.all.length === 0,
      isCurrent: (channel) => channel === this.#channel,
      onFetched: (message) => this.#receive(message, message.fields.redelivered ? 'returned' : 'fetched'),
    })
    this.#link = new BrokerLink({
      url: options.brokerUrl,
      name: `clicktally processor, ${options.queue}`,
      logger: options.logger,
      setUp: (model) => this.#setUp(model),
      onDown: () => this.#onDown(),
    })
  }

  get isConsuming(): boolean {
    return this.#consumerTags.length > 0
  }

  get unackedMessages(): number {
    return this.#unacked.all.length
  }

  /**
   * When the first click of the oldest unacknowledged message was received, milliseconds since 1970; undefined if nothing is held.
   * Dead letters are not parsed, so for them it is when the message was delivered.
   */
  get oldestUnackedMs(): number | undefined {
    const [oldest] = this.#unacked.all
    if (oldest === undefined || this.#options.queue === topology.deadQueue) return oldest?.arrivedAtMs
    return firstReceivedAtMs(oldest.message) ?? oldest.arrivedAtMs
  }

  start(): void {
    this.#link.start()
  }

  async look(proveEmpty: boolean): Promise<View> {
    return await this.#observer.look(this.#mayHold ? this.#channel : undefined, proveEmpty)
  }

  release(reason: Error): void {
    if (this.#mayHold) void this.#handBack(reason)
  }

  async isConnectionDropped(marker: string): Promise<boolean | undefined> {
    if (this.#model === undefined) return undefined
    return await isConnectionDropped(this.#model, marker).catch(() => undefined)
  }

  /** Stops consuming, writes and acknowledges what was delivered, closes. */
  async close(): Promise<void> {
    this.#closed = true
    const channel = this.#channel
    if (channel !== undefined && this.#mayHold) {
      try {
        await this.#cancel(channel)
        // While the database is unavailable a drain does not end.
        const giveUp = setTimeout(() => this.#gone.abort(new Error('drained for too long')), drainTimeoutMs)
        await this.#batcher.drain().finally(() => clearTimeout(giveUp))
        await this.#copyUnacked(channel)
        // The reply proves that the earlier acknowledgements on this channel have arrived.
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
    this.#marker = newMarkerName()
    await markConnection(channel, this.#marker)
    this.#gone = new AbortController()
    this.#model = model
    this.#channel = channel
    // Not awaited: setUp has a timeout.
    void this.#consumeWhenReady(channel, this.#gone.signal)
  }

  async #consumeWhenReady(channel: Channel, gone: AbortSignal): Promise<void> {
    try {
      await this.#options.untilReady(this.#marker, gone)
      if (this.#closed || gone.aborted) return
      await this.#consume(channel, this.#takesOneAtATime ? 1 : this.#options.prefetch)
    } catch (error) {
      if (!gone.aborted) this.#link.restart(error as Error)
    }
  }

  async #consume(channel: Channel, prefetch: number): Promise<void> {
    this.#mayHold = true
    await channel.prefetch(prefetch)
    const { consumerTag } = await channel.consume(
      this.#options.queue,
      (message) => {
        // Null: the broker cancelled the consumer, because the queue was deleted or an acknowledgement took too long.
        if (message === null) this.#link.restart(new Error('the broker cancelled the consumer'))
        else this.#receive(message, message.fields.redelivered ? 'returned' : 'fresh')
      },
      { noAck: false },
    )
    if (channel === this.#channel) this.#consumerTags.push(consumerTag)
  }

  async #cancel(channel: Channel): Promise<void> {
    for (const consumerTag of this.#consumerTags.splice(0)) await channel.cancel(consumerTag)
  }

  #onDown(): void {
    this.#gone.abort(new Error('the channel is gone'))
    this.#model = undefined
    this.#channel = undefined
    this.#consumerTags = []
    this.#mayHold = false
    this.#batcher.discard()
    this.#unacked.clear()
    this.#options.onLost?.(this.#marker)
  }

  #receive(message: Message | GetMessage, kind: Delivery['kind']): void {
    const delivery = this.#observer.describe(message, kind)
    this.#unacked.add(delivery)
    this.#batcher.add(delivery)
  }

  async #write(batch: DeliveredBatch): Promise<void> {
    const channel = this.#channel
    const gone = this.#gone.signal
    try {
      while (channel !== undefined && !gone.aborted) {
        try {
          await this.#options.writer.write(batch.content, gone)
          if (!gone.aborted) this.#written(channel, batch)
          return
        } catch (error) {
          if (gone.aborted) return
          if (error instanceof DatabaseUnavailable) {
            if (await this.#handBack(error)) return
          } else {
            // Neither the database nor the broker failed: a bug.
            this.#options.logger.error({ err: error }, 'batch failed unexpectedly')
            this.#link.restart(error as Error)
            return
          }
        }
      }
    } finally {
      this.#reader.release(batch)
    }
  }

  #written(channel: Channel, batch: DeliveredBatch): void {
    const last = batch.deliveries.at(-1)
    // Batches are written one at a time in order of delivery, so all earlier messages are written.
    if (last !== undefined) channel.ack(last.message, true)
    this.#unacked.acknowledged(batch.deliveries.length)
    this.#observer.counted(batch)
    if (batch.deliveries.some(({ kind }) => kind === 'returned')) this.#options.onReturned?.()
    if (this.#takesOneAtATime || this.#consumerTags.length === 0) this.#restorePrefetch(channel)
  }

  /** The database is available again. */
  #restorePrefetch(channel: Channel): void {
    const missing = this.#options.prefetch - this.#consumerTags.length
    this.#takesOneAtATime = false
    // A hand-back that fails restores it.
    if (this.#closed || missing === 0 || this.#handingBack !== undefined) return
    this.#consume(channel, missing).catch((error) => this.#link.restart(error as Error))
  }

  /** @returns false if it failed. No new messages are consumed then until those that are still held are written. */
  #handBack(reason: Error): Promise<boolean> {
    this.#handingBack ??= this.#handBackUnacked(reason).then((isDone) => {
      this.#handingBack = undefined
      const channel = this.#channel
      // They were written meanwhile, so nothing else would consume again.
      if (!isDone && channel !== undefined && this.#unacked.all.length === 0) this.#restorePrefetch(channel)
      return isDone
    })
    return this.#handingBack
  }

  async #handBackUnacked(reason: Error): Promise<boolean> {
    const { logger, queue } = this.#options
    const channel = this.#channel
    if (channel === undefined) return true
    this.#takesOneAtATime = true
    try {
      await this.#cancel(channel)
      await this.#copyUnacked(channel)
      if (channel !== this.#channel) return true
      logger.warn({ err: reason, queue }, 'messages handed back')
      // From here on another processor may count the batch that is being written.
      this.#gone.abort(reason)
      await channel.close()
      return true
    } catch (error) {
      if (channel !== this.#channel) return true
      logger.warn({ err: error, queue }, 'messages could not be handed back and are still held')
      return false
    }
  }

  async #copyUnacked(channel: Channel): Promise<void> {
    // The dead-letter queue has no delivery limit: its messages are requeued when the channel is closed.
    if (this.#options.queue === topology.deadQueue) return
    const unacked = [...this.#unacked.all]
    const last = unacked.at(-1)
    if (last === undefined) return
    const messages = unacked.map(({ message }) => message)
    await copyToSuspects(this.#link.currentUrl, messages, copyTimeoutMs)
    // Messages that arrived in the meantime were not copied and are not acknowledged.
    if (channel === this.#channel) channel.ack(last.message, true)
  }
}
