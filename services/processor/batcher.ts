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
  /** Makes of items, in the order of arrival, what is written; while the batch before is being written, where it can. */
  readonly prepare: (items: readonly Item[]) => Batch
  /** Writes a batch. Is never called while another call is under way. Must not reject. */
  readonly write: (batch: Batch) => Promise<void>
}

/**
 * Gathers items into batches: ready when there are enough clicks or items, or when the oldest has waited long enough and
 * nothing is being written. While one batch is being written the next is prepared, and the one after that gathers.
 *
 * A batch: gathering (a timer runs) → ready, at most one → being written, at most one → gone. `discard` empties what is
 * gathered and what is ready; a write under way goes on.
 */
export class Batcher<Item extends Batchable, Batch> {
  readonly #options: BatcherOptions<Item, Batch>
  #items: Item[] = []
  #clicks = 0
  #due = false
  #timer: NodeJS.Timeout | undefined
  /** In a box, for a batch may be anything. */
  #ready: { readonly batch: Batch } | undefined
  #writing: Promise<void> | undefined

  constructor(options: BatcherOptions<Item, Batch>) {
    this.#options = options
  }

  /** Whether nothing is held: gathered, ready or being written. */
  get isIdle(): boolean {
    return this.#items.length === 0 && this.#ready === undefined && this.#writing === undefined
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

  /** Forgets what is gathered: its channel is gone, the broker will deliver it again. */
  discard(): void {
    this.#items = []
    this.#clicks = 0
    this.#due = false
    this.#ready = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Writes all that is held without waiting for more, and resolves when it is written. */
  async drain(): Promise<void> {
    while (!this.isIdle) {
      this.#due = true
      this.#advance()
      await this.#writing
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
    if (this.#ready !== undefined || this.#items.length === 0) return
    const full = this.#clicks >= this.#options.maxClicks || this.#items.length >= this.#options.maxItems
    // One that is only due gathers on while another is being written.
    if (full || (this.#due && this.#writing === undefined)) this.#ready = { batch: this.#options.prepare(this.#take()) }
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
