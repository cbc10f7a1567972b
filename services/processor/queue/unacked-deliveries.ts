import type { GetMessage, Message } from 'amqplib'

export interface Delivery {
  readonly message: Message | GetMessage
  /** As declared by the message's stamp. The message is parsed later, because a parsed message takes much more memory. */
  readonly clicks: number
  /**
   * `fresh`: delivered in queue order, so everything before it was delivered too. `returned`: may have been delivered before.
   * `fetched`: fresh, but the reply to a basic.get, so it may have overtaken messages that were delivered earlier.
   */
  readonly kind: 'fresh' | 'returned' | 'fetched'
  /** By this host's clock, milliseconds since 1970. */
  readonly arrivedAtMs: number
  /** Upper bound of the time in the queue, in milliseconds; undefined if unknown. */
  readonly waitedAtMostMs: number | undefined
}

/** The unacknowledged deliveries of the current channel, in order of delivery, and the number of deliveries on all channels. */
export class UnackedDeliveries {
  #unacked: Delivery[] = []
  #returned = 0
  #freshSoFar = 0
  #returnedSoFar = 0
  #allSoFar = 0

  get all(): readonly Delivery[] {
    return this.#unacked
  }

  get hasReturned(): boolean {
    return this.#returned > 0
  }

  /** Since the process started, on all channels. */
  get soFar(): { readonly all: number; readonly fresh: number; readonly returned: number } {
    return { all: this.#allSoFar, fresh: this.#freshSoFar, returned: this.#returnedSoFar }
  }

  add(delivery: Delivery): void {
    this.#unacked.push(delivery)
    this.#allSoFar += 1
    if (delivery.kind === 'fresh') this.#freshSoFar += 1
    if (delivery.kind !== 'returned') return
    this.#returned += 1
    this.#returnedSoFar += 1
  }

  /** Removes the oldest `count` deliveries. */
  acknowledged(count: number): void {
    for (const { kind } of this.#unacked.splice(0, count)) if (kind === 'returned') this.#returned -= 1
  }

  /** To be called when the channel is closed. */
  clear(): void {
    this.#unacked = []
    this.#returned = 0
  }
}
