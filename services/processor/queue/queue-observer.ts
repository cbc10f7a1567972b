import { setTimeout as sleep } from 'node:timers/promises'
import { topology } from '@clicktally/broker/topology.ts'
import type { Channel, GetMessage, Message } from 'amqplib'
import { IngestClock } from '../progress/ingest-clock.ts'
import type { View } from '../progress/watched-consumers.ts'
import { declaredClickCount } from '../rows/consumed-message.ts'
import type { ConsumedQueue, DeliveredBatch } from './batch-reader.ts'
import type { Delivery, UnackedDeliveries } from './unacked-deliveries.ts'

/** A broker that takes longer for a round trip is in trouble. */
const lookTimeoutMs = 5_000

export interface QueueObserverOptions {
  readonly queue: ConsumedQueue
  readonly prefetch: number
  readonly unacked: UnackedDeliveries
  /** Whether no batch is gathered, prepared or written. */
  readonly isIdle: () => boolean
  readonly isCurrent: (channel: Channel) => boolean
  /** Called with the message that the proof of emptiness fetched, if the queue was not empty. */
  readonly onFetched: (message: GetMessage) => void
}

/** Determines up to when everything in a queue is counted, from the messages, from an empty queue, and from round trips. */
export class QueueObserver {
  readonly #options: QueueObserverOptions
  readonly #clock = new IngestClock()
  #looking: Promise<View> | undefined
  #countedThroughMs: number | undefined
  /** When the queue was last proven to be empty, on the monotonic clock in milliseconds. */
  #emptyAtMs: number | undefined

  constructor(options: QueueObserverOptions) {
    this.#options = options
  }

  /** Notes when and how a message arrived. */
  describe(message: Message | GetMessage, kind: Delivery['kind']): Delivery {
    return {
      message,
      clicks: Math.max(1, declaredClickCount(message)),
      // Only the queue `clicks` is in order; messages in the other queues have been delivered before.
      kind: this.#options.queue === topology.queue ? kind : 'returned',
      arrivedAtMs: this.#clock.hostMs(),
      waitedAtMostMs: this.#emptyAtMs === undefined ? undefined : performance.now() - this.#emptyAtMs,
    }
  }

  /** To be called in order of delivery. */
  counted({ deliveries, content }: DeliveredBatch): void {
    for (const [index, { kind, arrivedAtMs, waitedAtMostMs }] of deliveries.entries()) {
      const { receivedThroughMs: receivedAtMs, stamp } = content.messages[index] ?? { receivedThroughMs: 0 }
      if (kind !== 'fresh' || receivedAtMs === 0 || stamp === undefined) continue
      this.#clock.observe({ producer: stamp.producer, receivedAtMs, arrivedAtMs, waitedAtMostMs })
      // It was in the queue when it arrived, whatever its receipt says.
      this.#countedThroughMs = Math.min(receivedAtMs, this.#clock.corrected(arrivedAtMs))
    }
  }

  /** @param channel undefined if this process cannot hold messages of the queue */
  async look(channel: Channel | undefined, proveEmpty: boolean): Promise<View> {
    if (channel === undefined) return this.#view({ isFenced: true })
    const before = this.#looking
    const looking = before ?? this.#lookOn(channel, proveEmpty)
    this.#looking = looking
    const settled = looking.finally(() => {
      if (this.#looking === looking) this.#looking = undefined
    })
    const failed = this.#view({ isFenced: false })
    const view = await Promise.race([settled.catch(() => failed), sleep(lookTimeoutMs, failed, { ref: false })])
    // An earlier look says nothing about what has happened since it began.
    return before === undefined ? view : failed
  }

  #view(known: Pick<View, 'isFenced'> & Partial<View>): View {
    const { unacked } = this.#options
    return {
      countedThroughMs: this.#countedThroughMs,
      freshDeliveries: unacked.soFar.fresh,
      returnedDeliveries: unacked.soFar.returned,
      holdsReturned: unacked.hasReturned,
      isEmpty: false,
      ...known,
    }
  }

  async #lookOn(channel: Channel, proveEmpty: boolean): Promise<View> {
    const { queue, prefetch, unacked, isCurrent } = this.#options
    const askedAtMs = performance.now()
    const askedAtTimeMs = this.#clock.nowMs()
    const deliveries = unacked.soFar.all
    const isIdle = this.#options.isIdle()
    // For the queue `clicks` the proof is needed only if nothing is held: otherwise its deliveries show the progress.
    const isEmpty = proveEmpty && (isIdle || queue !== topology.queue) && (await this.#isEmpty(channel))
    // The broker replies after it has sent everything it had assigned to this channel. The call does not affect consumers.
    await channel.prefetch(prefetch)
    if (!isCurrent(channel)) return this.#view({ isFenced: false })
    if (isEmpty && isIdle && deliveries === unacked.soFar.all && this.#options.isIdle()) {
      this.#countedThroughMs = askedAtTimeMs
      this.#emptyAtMs = askedAtMs
    }
    return this.#view({ isFenced: true, isEmpty })
  }

  /**
   * Proves emptiness with a basic.get, which goes through the queue's log like an acknowledgement. The count of a passive declare
   * only saves that for a queue that is not empty: without a leader, or with a slow one, the count is 0 as well.
   */
  async #isEmpty(channel: Channel): Promise<boolean> {
    const { queue, isCurrent, onFetched } = this.#options
    const { messageCount } = await channel.checkQueue(queue)
    if (messageCount > 0) return false
    const message = await channel.get(queue, { noAck: false })
    if (message === false) return true
    if (isCurrent(channel)) onFetched(message)
    return false
  }
}
