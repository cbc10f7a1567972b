import { setImmediate as nextTurn } from 'node:timers/promises'
import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'
import type { Logger } from 'pino'
import { type BatchWriter, DatabaseAway } from './batch-writer.ts'
import { Batcher } from './batcher.ts'
import type { BinaryCopy } from './binary-copy.ts'
import type { ClickBatch } from './click-batch.ts'
import { SpareCopies } from './spare-copies.ts'
import { clicksSaidIn, readClicks, readDeadLetter, type TakenMessage } from './taken-message.ts'

export interface ClickConsumerOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  readonly writer: Pick<BatchWriter, 'prepare' | 'write'>
  /** Resolves when messages may be taken; asked on each new channel, until it is gone. */
  readonly untilReady: (gone: AbortSignal) => Promise<void>
  readonly queue: keyof typeof readers
  readonly maxClicks: number
  readonly flushAfterMs: number
  /** Messages that the broker may have delivered and not yet seen acknowledged. */
  readonly prefetch: number
}

/** Up to when all that was accepted is written, as far as one processor can know. */
export interface Progress {
  /** The receipt of the newest click written, milliseconds since 1970; 0 before the first. */
  readonly writtenThroughMs: number
  /** When the queue was last seen empty with nothing held here, by performance.now(); undefined where it never was. */
  readonly emptyAtMs: number | undefined
}

const readers = {
  [topology.queue]: readClicks,
  [topology.suspectQueue]: readClicks,
  [topology.deadQueue]: readDeadLetter,
} as const

const drainWithinMs = 12_000
/** Read in about a millisecond. */
const clicksAtOnce = 200

interface Delivery {
  readonly message: ConsumeMessage
  /** As far as the message says: it is not read before it is its turn, for what is read takes much more memory. */
  readonly clicks: number
}

interface DeliveredBatch {
  readonly last: ConsumeMessage
  readonly content: ClickBatch
  /** Of the clicks in `content`. */
  readonly rows: BinaryCopy
}

/**
 * Takes messages from a queue, has them written in batches, and acknowledges a batch's messages after the commit.
 *
 * A channel's life: waiting for the database → consuming → (stop) cancelled, drained, closed; or → gone (connection
 * lost, channel closed, consumer cancelled by the broker, given back since the database is away for long): what was held is
 * forgotten, since the broker delivers it again, and a new channel begins. Where a batch that is being written belongs to a
 * channel that is gone, its acknowledgement is dropped; the redelivered messages are in the ledger then, and change nothing.
 *
 * Given back once: each delivery counts towards the broker's limit, so nothing is taken before the database can be reached.
 */
export class ClickConsumer {
  readonly #options: ClickConsumerOptions
  readonly #link: BrokerLink
  readonly #batcher: Batcher<Delivery, DeliveredBatch>
  readonly #spareRows = new SpareCopies()
  #channel: Channel | undefined
  #consumerTag: string | undefined
  #closed = false
  /** Aborted when the channel is gone. */
  #gone = new AbortController()
  #writtenThroughMs = 0
  /** On the monotonic clock, milliseconds: the machine's clock may be wrong. */
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
    return this.#consumerTag !== undefined
  }

  start(): void {
    this.#link.start()
  }

  /** Whether nothing is held here and nothing waits in the queue. Undefined while not consuming. */
  async isEmpty(): Promise<boolean | undefined> {
    const channel = this.#channel
    if (channel === undefined || this.#consumerTag === undefined) return undefined
    if (!this.#batcher.isIdle) return false
    const { messageCount } = await channel.checkQueue(this.#options.queue)
    return messageCount === 0 && this.#batcher.isIdle
  }

  /** The queue is first in, first out, hence what this tells. Undefined while not consuming. */
  async progress(): Promise<Progress | undefined> {
    const askedAtMs = performance.now()
    const isEmpty = await this.isEmpty()
    if (isEmpty === undefined) return undefined
    if (isEmpty) this.#emptyAtMs = askedAtMs
    return { writtenThroughMs: this.#writtenThroughMs, emptyAtMs: this.#emptyAtMs }
  }

  /** Takes no more, writes and acknowledges what is held, closes. */
  async close(): Promise<void> {
    this.#closed = true
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
    this.#gone = new AbortController()
    this.#channel = channel
    // Not part of the set-up, which has a time limit.
    void this.#consumeWhenReady(channel, this.#gone.signal)
  }

  async #consumeWhenReady(channel: Channel, gone: AbortSignal): Promise<void> {
    try {
      await this.#options.untilReady(gone)
      if (!this.#closed) await this.#consume(channel)
    } catch (error) {
      if (!gone.aborted) this.#link.restart(error as Error)
    }
  }

  async #consume(channel: Channel): Promise<void> {
    await channel.prefetch(this.#options.prefetch)
    const { consumerTag } = await channel.consume(
      this.#options.queue,
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
    this.#batcher.add({ message, clicks: Math.max(1, clicksSaidIn(message)) })
  }

  /**
   * A few messages in each turn of the event loop: the batch before is on its way to the database meanwhile, piece by piece, and
   * the next piece goes when it is the socket's turn.
   */
  async #prepare(deliveries: readonly Delivery[]): Promise<DeliveredBatch> {
    const last = deliveries.at(-1)?.message
    if (last === undefined) throw new Error('a batch has no message')
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
    return { last, content: this.#options.writer.prepare(messages), rows }
  }

  async #write({ last, content, rows }: DeliveredBatch): Promise<void> {
    const channel = this.#channel
    const gone = this.#gone.signal
    if (channel === undefined) return
    try {
      await this.#options.writer.write(content, gone)
      if (gone.aborted) return
      // Batches are written one after the other, in the order of delivery: all up to this one are done.
      channel.ack(last, true)
      for (const { receivedThroughMs } of content.messages)
        this.#writtenThroughMs = Math.max(this.#writtenThroughMs, receivedThroughMs)
    } catch (error) {
      if (gone.aborted) return
      // The messages go back, the process stays.
      if (error instanceof DatabaseAway) this.#options.logger.warn({ err: error }, 'batch given back')
      // Not of the database and not of the broker: a fault of ours.
      else this.#options.logger.error({ err: error }, 'batch failed unexpectedly')
      this.#link.restart(error as Error)
    } finally {
      this.#spareRows.giveBack(rows)
    }
  }
}
