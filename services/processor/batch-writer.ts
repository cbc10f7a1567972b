import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { ClickBatch } from './click-batch.ts'
import type { ClickStore } from './click-store.ts'
import { backoffMs, databaseAway, persist, verdictOn } from './failure-policy.ts'
import type { ProcessingFigures } from './processing-figures.ts'
import { readAll } from './taken-click.ts'
import type { DeadLetter, TakenMessage } from './taken-message.ts'

export interface BatchWriterOptions {
  readonly store: Pick<ClickStore, 'prepare' | 'count' | 'countDespiteRefusals' | 'makePartitionsFor'>
  readonly figures: ProcessingFigures
  readonly logger: Logger
  /** How long, in milliseconds, a batch is held while the database cannot be written to. */
  readonly holdWhileAwayMs: number
}

/**
 * Brings a batch of messages to its end, whatever happens: each click is counted, known as a duplicate, or in the dead
 * letters. What is not the clicks' fault is waited out, here for some seconds and then in the queue. Only then may the messages be acknowledged.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions

  constructor(options: BatchWriterOptions) {
    this.#options = options
  }

  /** Messages made ready to be written, which may be done while others are. */
  prepare(messages: readonly TakenMessage[]): ClickBatch {
    const batch = new ClickBatch(messages)
    this.#options.store.prepare(batch)
    return batch
  }

  /**
   * @throws {DatabaseAway} when the database could not be written to for `holdWhileAwayMs`; may be called again
   * @throws when `abandoned` is aborted. Either way the broker is to deliver the messages again.
   */
  async write(batch: ClickBatch, abandoned: AbortSignal): Promise<void> {
    const { store, figures, logger } = this.#options
    const { messages } = batch
    let partitionsMade = false
    let failingSinceMs: number | undefined
    for (let attempt = 1; ; attempt += 1) {
      abandoned.throwIfAborted()
      const startedAtMs = performance.now()
      try {
        const { counted, duplicates } = await store.count(batch)
        const seconds = (performance.now() - startedAtMs) / 1000
        figures.counted(counted, duplicates, seconds)
        for (const { deadLetters } of messages) this.#reportDead(deadLetters)
        if (logger.isLevelEnabled('debug'))
          logger.debug({ counted, duplicates, seconds, requests: requestsOf(messages) }, 'clicks counted')
        return
      } catch (error) {
        const verdict = verdictOn(error)
        if (verdict === 'partition_missing' && !partitionsMade) {
          logger.warn({ attempt }, 'partition missing')
          await this.#persist(abandoned, () => store.makePartitionsFor(messages))
          partitionsMade = true
        } else if (verdict === 'wait') {
          failingSinceMs ??= startedAtMs
          if (performance.now() - failingSinceMs > this.#options.holdWhileAwayMs) throw databaseAway(error)
          logger.warn({ err: error, attempt, messages: messages.length }, 'database not available, waiting')
          await sleep(backoffMs(attempt), undefined, { signal: abandoned })
        } else {
          return await this.#divide(messages, abandoned)
        }
      }
    }
  }

  /** Halves until the message with the refused click is alone: its neighbours are counted. */
  async #divide(messages: readonly TakenMessage[], abandoned: AbortSignal): Promise<void> {
    const [only] = messages
    if (messages.length > 1 || only === undefined) {
      const middle = messages.length >> 1
      await this.write(this.prepare(messages.slice(0, middle)), abandoned)
      await this.write(this.prepare(messages.slice(middle)), abandoned)
      return
    }
    const { store, figures } = this.#options
    await this.#persist(abandoned, async () => {
      await store.makePartitionsFor([only])
      const startedAtMs = performance.now()
      const { counted, duplicates, refused } = await store.countDespiteRefusals(only)
      figures.counted(counted, duplicates, (performance.now() - startedAtMs) / 1000)
      this.#reportDead([...only.deadLetters, ...refused])
    })
  }

  #reportDead(deadLetters: readonly DeadLetter[]): void {
    const { figures, logger } = this.#options
    for (const { reason, detail, clicks, clickIds, requestId } of deadLetters) {
      figures.dead(reason, clicks)
      const [clickId] = clickIds
      logger.error({ reason, detail, clicks, ...(clicks === 1 && { clickId }), requestId }, 'clicks are dead')
    }
  }

  async #persist(abandoned: AbortSignal, act: () => Promise<void>): Promise<void> {
    await persist(act, abandoned, this.#options.logger, this.#options.holdWhileAwayMs)
  }
}

function requestsOf(messages: readonly TakenMessage[]): Record<string, number> {
  const requests: Record<string, number> = {}
  for (const { clicks } of messages) {
    for (const click of clicks) {
      const { requestId } = readAll(click)
      requests[requestId] = (requests[requestId] ?? 0) + 1
    }
  }
  return requests
}
