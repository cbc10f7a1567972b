import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { ProcessingMetrics } from '../processing-metrics.ts'
import { ClickBatch } from '../rows/click-batch.ts'
import { decodeLine } from '../rows/click-row.ts'
import type { ConsumedMessage, DeadLetter } from '../rows/consumed-message.ts'
import type { ClickStore } from '../store/click-store.ts'
import { backoffMs, databaseUnavailable, persist, verdictOn } from './failure-policy.ts'

export interface BatchWriterOptions {
  readonly store: Pick<ClickStore, 'prepare' | 'count' | 'countDespiteRefusals' | 'makePartitionsFor'>
  readonly metrics: ProcessingMetrics
  readonly logger: Logger
  /** Milliseconds that a batch is held while the database cannot be written to. */
  readonly holdWhileAwayMs: number
}

/**
 * Writes batches until each click is counted, a duplicate, or in the dead letters. Only then may the messages be acknowledged.
 * Errors that clicks did not cause are retried, here for some seconds and then by redelivery.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions

  constructor(options: BatchWriterOptions) {
    this.#options = options
  }

  /** Prepares messages for writing. May be called while another batch is being written. */
  prepare(messages: readonly ConsumedMessage[]): ClickBatch {
    const batch = new ClickBatch(messages)
    this.#options.store.prepare(batch)
    return batch
  }

  /**
   * @throws {DatabaseUnavailable} if the database could not be written to for `holdWhileAwayMs`; it may be called again
   * @throws if `abandoned` is aborted. In both cases the broker must deliver the messages again.
   */
  async write(batch: ClickBatch, abandoned: AbortSignal): Promise<void> {
    const { store, metrics, logger } = this.#options
    const { messages } = batch
    let partitionsMade = false
    let failingSinceMs: number | undefined
    for (let attempt = 1; ; attempt += 1) {
      abandoned.throwIfAborted()
      const startedAtMs = performance.now()
      try {
        const { counted, duplicates } = await store.count(batch)
        const seconds = (performance.now() - startedAtMs) / 1000
        metrics.counted(counted, duplicates, seconds)
        for (const { deadLetters, receivedThroughMs } of messages) {
          if (receivedThroughMs > 0) metrics.messageCounted(receivedThroughMs)
          this.#reportDead(deadLetters)
        }
        if (logger.isLevelEnabled('debug'))
          logger.debug({ counted, duplicates, seconds, requests: requestsOf(messages) }, 'clicks counted')
        return
      } catch (error) {
        const verdict = verdictOn(error)
        metrics.failed(verdict)
        if (verdict === 'partition_missing' && !partitionsMade) {
          logger.warn({ attempt }, 'partition missing')
          await this.#persist(abandoned, () => store.makePartitionsFor(messages))
          partitionsMade = true
        } else if (verdict === 'wait') {
          failingSinceMs ??= startedAtMs
          if (performance.now() - failingSinceMs > this.#options.holdWhileAwayMs) throw databaseUnavailable(error)
          logger.warn({ err: error, attempt, ...idsOf(messages) }, 'database not available, waiting')
          await sleep(backoffMs(attempt), undefined, { signal: abandoned })
        } else {
          return await this.#divide(messages, abandoned)
        }
      }
    }
  }

  /** Halves the batch until each message with a refused click is alone, so that the others are counted. */
  async #divide(messages: readonly ConsumedMessage[], abandoned: AbortSignal): Promise<void> {
    const [only] = messages
    if (messages.length > 1 || only === undefined) {
      const middle = messages.length >> 1
      await this.write(this.prepare(messages.slice(0, middle)), abandoned)
      await this.write(this.prepare(messages.slice(middle)), abandoned)
      return
    }
    const { store, metrics } = this.#options
    await this.#persist(abandoned, async () => {
      await store.makePartitionsFor([only])
      const startedAtMs = performance.now()
      const { counted, duplicates, refused } = await store.countDespiteRefusals(only)
      metrics.counted(counted, duplicates, (performance.now() - startedAtMs) / 1000)
      this.#reportDead([...only.deadLetters, ...refused])
    })
  }

  #reportDead(deadLetters: readonly DeadLetter[]): void {
    const { metrics, logger } = this.#options
    for (const { reason, detail, clicks, clickIds, requestId } of deadLetters) {
      metrics.dead(reason, clicks)
      const [clickId] = clickIds
      logger.error({ reason, detail, clicks, ...(clicks === 1 && { clickId }), requestId }, 'clicks are dead')
    }
  }

  async #persist(abandoned: AbortSignal, act: () => Promise<void>): Promise<void> {
    await persist(act, abandoned, this.#options.logger, this.#options.holdWhileAwayMs)
  }
}

/** Enough to find the batch in the ledger. */
const loggedIds = 20

/** The number of messages, and the keys that the first of them have in the ledger. */
function idsOf(messages: readonly ConsumedMessage[]): { messages: number; messageIds: string[] } {
  const messageIds = messages.slice(0, loggedIds).map(({ stamp }) => `${stamp.producer}/${stamp.sequence}`)
  return { messages: messages.length, messageIds }
}

function requestsOf(messages: readonly ConsumedMessage[]): Record<string, number> {
  const requests: Record<string, number> = {}
  for (const { clicks } of messages) {
    for (const click of clicks) {
      const { requestId } = decodeLine(click)
      requests[requestId] = (requests[requestId] ?? 0) + 1
    }
  }
  return requests
}
