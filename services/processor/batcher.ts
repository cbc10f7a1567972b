/** What waits to be written: how many clicks it carries, and the rest is its owner's. */
export interface Batchable {
  readonly clicks: number
}

export interface BatcherOptions<Item extends Batchable, Batch> {
  readonly maxClicks: number
  /** More items than this are not waited for: the broker sends no more until some are acknowledged. */
  readonly maxItems: number
  /** How long, in milliseconds, an item may wait for others. */
  readonly flushAfterMs: number
  /** Makes of items, in the order of arrival, what is written; while the batch before is being written, where it can. Must not reject. */
  readonly prepare: (items: readonly Item[]) => Promise<Batch>
  /** Writes a batch. Is never called while another call is under way. Must not reject. */
  readonly write: (batch: Batch) => Promise<void>
}

/**
 * Gathers items into batches: ready when there are enough clicks or items, or when the oldest has waited long enough and
 * nothing is being written. While one batch is being written the next is prepared, and the one after that gathers.
 *
 * A batch: gathering (a timer runs) → being prepared → ready, at most one of both → being written, at most one → gone.
 * `discard` drops what is gathered, being prepared or ready; a write under way goes on.
 */
export class Batcher<Item extends Batchable, Batch> {
  readonly #options: BatcherOptions<Item, Batch>
  #items: Item[] = []
  #clicks = 0
  #due = false
  #timer: NodeJS.Timeout | undefined
  /** Settles when the batch is ready. Another one, or none, when it was discarded in the meantime. */
  #preparing: Promise<void> | undefined
  /** In a box, for a batch may be anything. */
  #ready: { readonly batch: Batch } | undefined
  #writing: Promise<void> | undefined

  constructor(options: BatcherOptions<Item, Batch>) {
    this.#options = options
  }

  /** Whether nothing is held: gathered, being prepared, ready or being written. */
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

  /** Forgets what is not being written: its channel is gone, the broker will deliver it again. */
  discard(): void {
    this.#items = []
    this.#clicks = 0
    this.#due = false
    this.#preparing = undefined
    this.#ready = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Writes all that is held without waiting for more, and resolves when it is written. */
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
    // One that is only due gathers on while another is being written.
    if (!full && (!this.#due || this.#writing !== undefined)) return
    const preparing = this.#options.prepare(this.#take()).then((batch) => {
      if (this.#preparing !== preparing) return
      this.#preparing = undefined
      this.#ready = { batch }
      this.#advance()
    })
    this.#preparing = preparing
  }

  /** As many of the oldest as make a batch; at least one. */
  #take(): Item[] {
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
