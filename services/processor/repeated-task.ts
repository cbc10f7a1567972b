import type { Logger } from 'pino'

export interface RepeatedTaskOptions {
  readonly name: string
  readonly logger: Logger
  readonly everyMs: number
  /** After a failure it is tried again so much later, in milliseconds. */
  readonly retryAfterMs: number
  readonly run: () => Promise<unknown>
}

/** Does something at the start and then again and again. A failure is never a reason to stop. */
export class RepeatedTask {
  readonly #options: RepeatedTaskOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: RepeatedTaskOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#runOnce().then((nextMs) => {
      if (!this.#closed) this.#timer = setTimeout(() => this.start(), nextMs).unref()
    })
  }

  /** Resolves when a run that is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#running
  }

  /** The milliseconds until it is due again. */
  async #runOnce(): Promise<number> {
    const { name, logger, everyMs, retryAfterMs, run } = this.#options
    try {
      await run()
      return everyMs
    } catch (error) {
      logger.warn({ err: error, task: name }, 'task failed, trying again')
      return retryAfterMs
    }
  }
}
