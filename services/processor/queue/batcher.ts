/** Something that waits to be written. The batcher only needs to know how many clicks it carries. */
export interface Batchable {
  readonly clicks: number
}

export interface BatcherOptions<Item extends Batchable, Batch> {
  readonly maxClicks: number
  /** A batch with this many items does not wait for more: the broker sends no more until some are acknowledged. */
  readonly maxItems: number
  /** Milliseconds that an item may wait for others. */
  readonly flushAfterMs: number
  /** Makes a batch of items, in the order of arrival, if possible while the previous batch is being written. Must not reject. */
  readonly prepare: (items: readonly Item[]) => Promise<Batch>
  /** Writes a batch. One call at a time. Must not reject. */
  readonly write: (batch: Batch) => Promise<void>
}

/**
 * Gathers items into batches. A batch is due when it has enough clicks or items, or when its oldest item has waited long enough
 * and nothing is being written. While one batch is being written, the next is prepared and the one after that is gathered.
 *
 * States of a batch: gathering (with a timer) → preparing → ready (at most one batch is preparing or ready) → writing (at most one) →
 * done. `discard` drops batches in the first three states; a write in progress continues.
 */
export class Batcher<Item extends Batchable, Batch> {
  readonly #options: BatcherOptions<Item, Batch>
  #items: Item[] = []
  #clicks = 0
  #due = false
  #timer: NodeJS.Timeout | undefined
  /** Settles when the batch is ready. Replaced or removed if the batch was discarded meanwhile. */
  #preparing: Promise<void> | undefined
  /** Wrapped, because a batch may be any value. */
  #ready: { readonly batch: Batch } | undefined
  #writing: Promise<void> | undefined

  constructor(options: BatcherOptions<Item, Batch>) {
    this.#options = options
  }

  /** Whether it holds nothing in any state. */
  get isIdle(): boolean {
    const isPreparing = this.#preparing !== undefined || this.#ready !== undefined
    return this.#items.length === 0 && !isPreparing && this.#writing === undefined
  }

  add(item: Item): void {
    this.#items.push(item)
    this.#clicks += item.clicks
    if (this.#timer === undefined && !this.#due) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#due = true
        this.#advance()
      }, this.#options.flushAfterMs)
    }
    this.#advance()
  }

  /** Drops what is not being written, because its channel is closed: the broker delivers it again. */
  discard(): void {
    this.#items = []
    this.#clicks = 0
    this.#due = false
    this.#preparing = undefined
    this.#ready = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Writes everything that is held without waiting for more. Resolves when it is written. */
  async drain(): Promise<void> {
    while (!this.isIdle) {
      this.#due = true
      this.#advance()
      await (this.#preparing ?? this.#writing)
    }
  }

  #advance(): void {
    this.#prepareIfDue()
    if (this.#ready === undefined || this.#writing !== undefined) return
    const { batch } = this.#ready
    this.#ready = undefined
    this.#writing = this.#options.write(batch).finally(() => {
      this.#writing = undefined
      this.#advance()
    })
    this.#prepareIfDue()
  }

  #prepareIfDue(): void {
    if (this.#preparing !== undefined || this.#ready !== undefined || this.#items.length === 0) return
    const full = this.#clicks >= this.#options.maxClicks || this.#items.length >= this.#options.maxItems
    // A batch that is not full keeps gathering while another one is being written.
    if (!full && (!this.#due || this.#writing !== undefined)) return
    const preparing = this.#options.prepare(this.#takeBatch()).then((batch) => {
      if (this.#preparing !== preparing) return
      this.#preparing = undefined
      this.#ready = { batch }
      this.#advance()
    })
    this.#preparing = preparing
  }

  /** Removes the oldest items that make a batch; at least one. */
  #takeBatch(): Item[] {
    let clicks = 0
    let count = 0
    for (const item of this.#items) {
      if (count > 0 && clicks + item.clicks > this.#options.maxClicks) break
      clicks += item.clicks
      count += 1
    }
    const batch = this.#items.splice(0, count)
    this.#clicks -= clicks
    if (this.#items.length === 0) {
      this.#due = false
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    return batch
  }
}
