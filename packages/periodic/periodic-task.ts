import type { Logger } from 'pino'

export interface PeriodicTaskOptions {
  readonly name: string
  readonly logger: Logger
  /** Milliseconds between the end of a successful run and the next run. */
  readonly intervalMs: number
  /** Milliseconds between a failed run and the next run. */
  readonly retryAfterMs: number
  readonly run: () => Promise<unknown>
}

/** Runs a task immediately and then periodically, one run at a time. Logs failures and retries without limit. */
export class PeriodicTask {
  readonly #options: PeriodicTaskOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: PeriodicTaskOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#runOnce().then((nextMs) => {
      if (!this.#closed) this.#timer = setTimeout(() => this.start(), nextMs).unref()
    })
  }

  /** Waits for the current run. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#running
  }

  /** @returns milliseconds until the next run */
  async #runOnce(): Promise<number> {
    const { name, logger, intervalMs, retryAfterMs, run } = this.#options
    try {
      await run()
      return intervalMs
    } catch (error) {
      logger.warn({ err: error, task: name }, 'task failed, will retry')
      return retryAfterMs
    }
  }
}
