import { BinaryCopy } from './binary-copy.ts'

/** As many as are in use at a time: one batch is being written, the next one is ready. */
const maxPooled = 2
/** A buffer that had to grow beyond this, for unusually large clicks, is left to the garbage collector. */
const maxPooledBytes = 4 * 1024 * 1024

/**
 * Reuses the buffers of batches. Allocating one or two megabytes for each batch made the engine collect garbage five times a
 * second, which took a fifth of the processor's CPU time.
 */
export class CopyBufferPool {
  readonly #pooled: BinaryCopy[] = []

  /** Returns an empty buffer. */
  acquire(): BinaryCopy {
    return this.#pooled.pop() ?? new BinaryCopy()
  }

  /** Call it when nothing reads or sends the buffer any more. A buffer that is never released is only garbage. */
  release(copy: BinaryCopy): void {
    if (this.#pooled.length >= maxPooled || copy.length > maxPooledBytes) return
    copy.clear()
    this.#pooled.push(copy)
  }
}
