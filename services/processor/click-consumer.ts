import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { isConnectionDropped, markConnection, newMarkerName } from '@clicktally/broker/connection-marker.ts'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import type { Channel, ChannelModel, GetMessage, Message } from 'amqplib'
import type { Logger } from 'pino'
import type { BatchWriter } from './batch-writer.ts'
import { Batcher } from './batcher.ts'
import type { BinaryCopy } from './binary-copy.ts'
import type { ClickBatch } from './click-batch.ts'
import { DatabaseAway } from './failure-policy.ts'
import { copyToSuspects } from './hand-back.ts'
import { type Delivery, HeldDeliveries } from './held-deliveries.ts'
import { IngestClock } from './ingest-clock.ts'
import type { View, WatchedConsumer } from './progress-report.ts'
import { SpareCopies } from './spare-copies.ts'
import { clicksSaidIn, readClicks, readDeadLetter, type TakenMessage } from './taken-message.ts'

export interface ClickConsumerOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  readonly writer: Pick<BatchWriter, 'prepare' | 'write'>
  /** Resolves when messages may be taken; asked on each new channel, until it is gone. `marker` is its connection's. */
  readonly untilReady: (marker: string, gone: AbortSignal) => Promise<void>
  /** A connection is gone on which untilReady was asked. */
  readonly onLost?: (marker: string) => void
  readonly queue: keyof typeof readers
  readonly maxClicks: number
  readonly flushAfterMs: number
  /** Messages that the broker may have delivered and not yet seen acknowledged. */
  readonly prefetch: number
}

const readers = {
  [topology.queue]: readClicks,
  [topology.suspectQueue]: readClicks,
  [topology.deadQueue]: readDeadLetter,
} as const

const drainWithinMs = 12_000
/** With the drain still below the 25 s that the process may take to stop. */
const copyWithinMs = 5_000
/** A broker that needs longer for a round trip is in trouble. */
const lookWithinMs = 5_000
/** Read in about a millisecond. */
const clicksAtOnce = 200

interface DeliveredBatch {
  readonly deliveries: readonly Delivery[]
  readonly content: ClickBatch
  /** Of the clicks in `content`. */
  readonly rows: BinaryCopy
}

/**
 * Takes messages from a queue, has them written in batches, and acknowledges a batch's messages after the commit.
 *
 * A channel's life: waiting for the database → consuming → (stop) cancelled, drained, closed; or → (the database cannot be
 * written to for long) cancelled, what is held copied to the suspects and acknowledged, closed; or → gone (connection lost,
 * channel closed, consumer cancelled by the broker). What was held then is forgotten, since the broker delivers it again, and a
 * new channel begins. Where a batch that is being written belongs to a channel that is gone, its acknowledgement is
 * dropped; the redelivered messages are in the ledger then, and change nothing.
 *
 * After a hand-back the next channel takes one message at a time until one is written.
 */
export class ClickConsumer implements WatchedConsumer {
  readonly #options: ClickConsumerOptions
  readonly #link: BrokerLink
  readonly #batcher: Batcher<Delivery, DeliveredBatch>
  readonly #spareRows = new SpareCopies()
  readonly #clock = new IngestClock()
  readonly #held = new HeldDeliveries()
  #model: ChannelModel | undefined
  #channel: Channel | undefined
  #marker = ''
  #consumerTags: string[] = []
  /** Whether the broker may have assigned messages to this channel. */
  #mayHold = false
  #isCautious = false
  #closed = false
  /** Aborted when the channel is gone. */
  #gone = new AbortController()
  #handingBack: Promise<boolean> | undefined
  #looking: Promise<View> | undefined
  #countedThroughMs: number | undefined
  /** When the queue was last proven to be empty, on the monotonic clock in milliseconds. */
  #emptyAtMs: number | undefined

  constructor(options: ClickConsumerOptions) {
    this.#options = options
    this.#batcher = new Batcher({
      maxClicks: options.maxClicks,
      // Half of what may be under way, so that the broker sends the next half while this one is written.
      maxItems: Math.max(1, options.prefetch >> 1),
      flushAfterMs: options.flushAfterMs,
      prepare: (deliveries) => this.#prepare(deliveries),
      write: (batch) => this.#write(batch),
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

  start(): void {
    this.#link.start()
  }

  async look(proveEmpty: boolean): Promise<View> {
    const channel = this.#channel
    if (channel === undefined || !this.#mayHold) return this.#view({ isFenced: true })
    const before = this.#looking
    const looking = before ?? this.#lookOn(channel, proveEmpty)
    this.#looking = looking
    const settled = looking.finally(() => {
      if (this.#looking === looking) this.#looking = undefined
    })
    const failed = this.#view({ isFenced: false })
    const view = await Promise.race([settled.catch(() => failed), sleep(lookWithinMs, failed, { ref: false })])
    // An earlier look says nothing about what has happened since it began.
    return before === undefined ? view : failed
  }

  release(reason: Error): void {
    if (this.#mayHold) void this.#handBack(reason)
  }

  async isConnectionDropped(marker: string): Promise<boolean | undefined> {
    if (this.#model === undefined) return undefined
    return await isConnectionDropped(this.#model, marker).catch(() => undefined)
  }

  /** Takes no more, writes and acknowledges what is held, closes. */
  async close(): Promise<void> {
    this.#closed = true
    const channel = this.#channel
    if (channel !== undefined && this.#mayHold) {
      try {
        await this.#cancel(channel)
        // While the database is away a drain has no end.
        const giveUp = setTimeout(() => this.#gone.abort(new Error('drained for too long')), drainWithinMs)
        await this.#batcher.drain().finally(() => clearTimeout(giveUp))
        if (this.#held.all.length > 0) await this.#copyHeld(channel)
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
    this.#marker = newMarkerName()
    await markConnection(channel, this.#marker)
    this.#gone = new AbortController()
    this.#model = model
    this.#channel = channel
    // Not part of the set-up, which has a time limit.
    void this.#consumeWhenReady(channel, this.#gone.signal)
  }

  async #consumeWhenReady(channel: Channel, gone: AbortSignal): Promise<void> {
    try {
      await this.#options.untilReady(this.#marker, gone)
      if (this.#closed || gone.aborted) return
      await this.#consume(channel, this.#isCautious ? 1 : this.#options.prefetch)
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
        // Null: the broker cancelled us, because the queue was deleted or an acknowledgement took too long.
        if (message === null) this.#link.restart(new Error('the broker cancelled the consumer'))
        else this.#take(message, message.fields.redelivered ? 'returned' : 'fresh')
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
    this.#held.clear()
    this.#options.onLost?.(this.#marker)
  }

  #take(message: Message | GetMessage, kind: Delivery['kind']): void {
    const delivery: Delivery = {
      message,
      clicks: Math.max(1, clicksSaidIn(message)),
      // Only one queue is in order; what is in the others was held before.
      kind: this.#options.queue === topology.queue ? kind : 'returned',
      arrivedAtMs: this.#clock.hostMs(),
      waitedAtMostMs: this.#emptyAtMs === undefined ? undefined : performance.now() - this.#emptyAtMs,
    }
    this.#held.add(delivery)
    this.#batcher.add(delivery)
  }

  #view(known: Pick<View, 'isFenced'> & Partial<View>): View {
    const { fresh, returned } = this.#held.soFar
    return {
      countedThroughMs: this.#countedThroughMs,
      freshDeliveries: fresh,
      returnedDeliveries: returned,
      holdsReturned: this.#held.hasReturned,
      isEmpty: false,
      ...known,
    }
  }

  async #lookOn(channel: Channel, proveEmpty: boolean): Promise<View> {
    const askedAtMs = performance.now()
    const askedAtTimeMs = this.#clock.nowMs()
    const deliveries = this.#held.soFar.all
    const isIdle = this.#batcher.isIdle
    // From the queue that is in order something is always being delivered, or it is empty and nothing is held.
    const isEmpty = proveEmpty && (isIdle || this.#options.queue !== topology.queue) && (await this.#isEmpty(channel))
    // The broker answers after it has sent what was assigned to this channel before. Changes nothing for the consumers there are.
    await channel.prefetch(this.#options.prefetch)
    if (channel !== this.#channel) return this.#view({ isFenced: false })
    if (isEmpty && isIdle && deliveries === this.#held.soFar.all && this.#batcher.isIdle) {
      this.#countedThroughMs = askedAtTimeMs
      this.#emptyAtMs = askedAtMs
    }
    return this.#view({ isFenced: true, isEmpty })
  }

  /**
   * Proven by a `basic.get`, which goes through the queue's log as an acknowledgement does. The count of a passive declare only
   * saves that for a queue that is not empty: where the queue has no leader, or the leader is slow, it is 0 too.
   */
  async #isEmpty(channel: Channel): Promise<boolean> {
    const { messageCount } = await channel.checkQueue(this.#options.queue)
    if (messageCount > 0) return false
    const message = await channel.get(this.#options.queue, { noAck: false })
    if (message === false) return true
    if (channel === this.#channel) this.#take(message, message.fields.redelivered ? 'returned' : 'fetched')
    return false
  }

  /**
   * A few messages in each turn of the event loop: the batch before is on its way to the database meanwhile, piece by piece, and
   * the next piece goes when it is the socket's turn.
   */
  async #prepare(deliveries: readonly Delivery[]): Promise<DeliveredBatch> {
    const read = readers[this.#options.queue]
    const rows = this.#spareRows.take()
    const messages: TakenMessage[] = []
    let clicks = 0
    for (const delivery of deliveries) {
      messages.push(read(delivery.message, rows))
      clicks += delivery.clicks
      if (clicks < clicksAtOnce) continue
      clicks = 0
      await nextTurn()
    }
    return { deliveries, content: this.#options.writer.prepare(messages), rows }
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
          if (error instanceof DatabaseAway) {
            if (await this.#handBack(error)) return
          } else {
            // Not of the database and not of the broker: a fault of ours.
            this.#options.logger.error({ err: error }, 'batch failed unexpectedly')
            this.#link.restart(error as Error)
            return
          }
        }
      }
    } finally {
      this.#spareRows.giveBack(batch.rows)
    }
  }

  #written(channel: Channel, { deliveries, content }: DeliveredBatch): void {
    const last = deliveries.at(-1)
    // Batches are written one after the other, in the order of delivery: all up to this one are done.
    if (last !== undefined) channel.ack(last.message, true)
    this.#held.acknowledged(deliveries.length)
    for (const [index, { kind, arrivedAtMs, waitedAtMostMs }] of deliveries.entries()) {
      const receivedAtMs = content.messages[index]?.receivedThroughMs ?? 0
      if (kind !== 'fresh' || receivedAtMs === 0) continue
      this.#clock.observe({ receivedAtMs, arrivedAtMs, waitedAtMostMs })
      // It was in the queue when it arrived, whatever its receipt says.
      this.#countedThroughMs = Math.min(receivedAtMs, this.#clock.corrected(arrivedAtMs))
    }
    if (!this.#isCautious && this.#consumerTags.length > 0) return
    // The database is back: as many as usual.
    const missing = this.#options.prefetch - this.#consumerTags.length
    this.#isCautious = false
    if (this.#closed || missing === 0 || this.#handingBack !== undefined) return
    this.#consume(channel, missing).catch((error) => this.#link.restart(error as Error))
  }

  /** @returns false where it failed: then everything is still held, and nothing new is taken. */
  #handBack(reason: Error): Promise<boolean> {
    this.#handingBack ??= this.#handBackHeld(reason).finally(() => {
      this.#handingBack = undefined
    })
    return this.#handingBack
  }

  async #handBackHeld(reason: Error): Promise<boolean> {
    const { logger, queue } = this.#options
    const channel = this.#channel
    if (channel === undefined) return true
    this.#isCautious = true
    try {
      await this.#cancel(channel)
      // There no delivery counts.
      if (queue !== topology.deadQueue) await this.#copyHeld(channel)
      if (channel !== this.#channel) return true
      logger.warn({ err: reason, queue }, 'messages handed back')
      // What is being written, others may count from now on.
      this.#gone.abort(reason)
      await channel.close()
      return true
    } catch (error) {
      if (channel !== this.#channel) return true
      logger.warn({ err: error, queue }, 'messages could not be handed back, still held')
      return false
    }
  }

  async #copyHeld(channel: Channel): Promise<void> {
    const held = [...this.#held.all]
    const last = held.at(-1)
    if (last === undefined) return
    const messages = held.map(({ message }) => message)
    await copyToSuspects(this.#options.brokerUrl, messages, copyWithinMs)
    // What has arrived meanwhile is not among them.
    if (channel === this.#channel) channel.ack(last.message, true)
  }
}
