import type { GetMessage, Message } from 'amqplib'

export interface Delivery {
  readonly message: Message | GetMessage
  /** As far as the message says: it is not read before it is its turn, for what is read takes much more memory. */
  readonly clicks: number
  /**
   * `fresh`: in the order of the queue, so everything before it was delivered too. `returned`: somebody may have held it
   * before. `fetched`: fresh, but asked for, and so perhaps here before messages that were delivered earlier.
   */
  readonly kind: 'fresh' | 'returned' | 'fetched'
  /** By this host's clock, milliseconds since 1970. */
  readonly arrivedAtMs: number
  /** How long it can have waited in the queue at the most, in milliseconds; undefined where that is not known. */
  readonly waitedAtMostMs: number | undefined
}

/** What the broker has delivered on a channel and has not seen acknowledged, in the order of delivery; and how much came. */
export class HeldDeliveries {
  #held: Delivery[] = []
  #returned = 0
  #freshSoFar = 0
  #returnedSoFar = 0
  #allSoFar = 0

  get all(): readonly Delivery[] {
    return this.#held
  }

  get hasReturned(): boolean {
    return this.#returned > 0
  }

  /** Since the process began, on all channels. */
  get soFar(): { readonly all: number; readonly fresh: number; readonly returned: number } {
    return { all: this.#allSoFar, fresh: this.#freshSoFar, returned: this.#returnedSoFar }
  }

  add(delivery: Delivery): void {
    this.#held.push(delivery)
    this.#allSoFar += 1
    if (delivery.kind === 'fresh') this.#freshSoFar += 1
    if (delivery.kind !== 'returned') return
    this.#returned += 1
    this.#returnedSoFar += 1
  }

  /** So many of the oldest are acknowledged. */
  acknowledged(count: number): void {
    for (const { kind } of this.#held.splice(0, count)) if (kind === 'returned') this.#returned -= 1
  }

  /** The channel is gone. */
  clear(): void {
    this.#held = []
    this.#returned = 0
  }
}
