/** What waits to be written: how many clicks it carries, and the rest is its owner's. */
export interface Batchable {
  readonly clicks: number
}

export interface BatcherOptions<Item extends Batchable> {
  readonly maxClicks: number
  /** More items than this are not waited for: the broker sends no more until some are acknowledged. */
  readonly maxItems: number
  /** How long, in milliseconds, an item may wait for others. */
  readonly flushAfterMs: number
  /** Writes a batch, in the order of arrival. Is never called while another call is under way. Must not reject. */
  readonly write: (batch: readonly Item[]) => Promise<void>
}

/**
 * Gathers items into batches: written when there are enough clicks or items, or when the oldest has waited long enough;
 * while one batch is being written the next gathers.
 *
 * States: idle (nothing held) → gathering (a timer runs) → writing ⇄ gathering → idle. `discard` empties what is gathered
 * in any state; a write under way goes on.
 */
export class Batcher<Item extends Batchable> {
  readonly #options: BatcherOptions<Item>
  #items: Item[] = []
  #clicks = 0
  #due = false
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined

  constructor(options: BatcherOptions<Item>) {
    this.#options = options
  }

  /** Whether nothing is gathered and nothing is being written. */
  get isIdle(): boolean {
    return this.#items.length === 0 && this.#writing === undefined
  }

  add(item: Item): void {
    this.#items.push(item)
    this.#clicks += item.clicks
    if (this.#timer === undefined && !this.#due) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        this.#due = true
        this.#writeIfDue()
      }, this.#options.flushAfterMs)
    }
    this.#writeIfDue()
  }

  /** Forgets what is gathered: its channel is gone, the broker will deliver it again. */
  discard(): void {
    this.#items = []
    this.#clicks = 0
    this.#due = false
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Writes all that is held without waiting for more, and resolves when it is written. */
  async drain(): Promise<void> {
    while (!this.isIdle) {
      this.#due = true
      this.#writeIfDue()
      await this.#writing
    }
  }

  #writeIfDue(): void {
    const full = this.#clicks >= this.#options.maxClicks || this.#items.length >= this.#options.maxItems
    if (this.#writing !== undefined || this.#items.length === 0 || !(full || this.#due)) return
    const batch = this.#take()
    this.#writing = this.#options.write(batch).finally(() => {
      this.#writing = undefined
      this.#writeIfDue()
    })
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
