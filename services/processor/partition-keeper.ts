import type { Logger } from 'pino'
import type { ClickStore } from './click-store.ts'

const everyMs = 3_600_000
const retryAfterMs = 5_000

/** Makes partitions ahead of time, at the start and every hour. Never a reason to stop: a missing one is made when met. */
export class PartitionKeeper {
  readonly #store: ClickStore
  readonly #logger: Logger
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(store: ClickStore, logger: Logger) {
    this.#store = store
    this.#logger = logger
  }

  async start(): Promise<void> {
    let nextMs = everyMs
    try {
      await this.#store.makePartitionsAround(Date.now())
    } catch (error) {
      this.#logger.warn({ err: error }, 'partitions not made, trying again')
      nextMs = retryAfterMs
    }
    if (!this.#closed) this.#timer = setTimeout(() => void this.start(), nextMs).unref()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }
}
