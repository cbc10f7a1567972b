import { BinaryCopy } from './binary-copy.ts'

/** As many as are under way: one is being written, one is ready. */
const maxSpare = 2
/** One that had to grow beyond, for clicks with much in them, is not kept. */
const maxKeptBytes = 4 * 1024 * 1024

/**
 * Memory for batches, used again and again. Made anew for each batch, a megabyte or two, it had the engine collect garbage five
 * times a second, which took a fifth of the processor's time.
 */
export class SpareCopies {
  readonly #spare: BinaryCopy[] = []

  /** An empty one. */
  take(): BinaryCopy {
    return this.#spare.pop() ?? new BinaryCopy()
  }

  /** To be called when nobody reads or sends it any more; one that is not given back is just forgotten. */
  giveBack(copy: BinaryCopy): void {
    if (this.#spare.length >= maxSpare || copy.length > maxKeptBytes) return
    copy.clear()
    this.#spare.push(copy)
  }
}
