import { setTimeout as sleep } from 'node:timers/promises'
import type { Click } from '@clicktally/contract/click.ts'
import { clicksMessageType, encodeClick, type UndecodablePart } from '@clicktally/contract/clicks-message.ts'
import type { Logger } from 'pino'
import type { ClickStore } from './click-store.ts'
import type { DeadLetters } from './dead-letters.ts'
import { backoffMs, verdictOn } from './failure-policy.ts'
import type { ProcessingFigures } from './processing-figures.ts'

export interface BatchWriterOptions {
  readonly store: ClickStore
  readonly deadLetters: Pick<DeadLetters, 'publish'>
  readonly figures: ProcessingFigures
  readonly logger: Logger
}

export interface DecodedBatch {
  readonly clicks: readonly Click[]
  readonly undecodable: readonly (UndecodablePart & { readonly type: string | undefined })[]
}

/**
 * Brings a batch to its end, whatever happens: each click is counted, known as a duplicate, or in the dead letters. Waits
 * out what is not the clicks' fault. Only then may the batch's messages be acknowledged.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions

  constructor(options: BatchWriterOptions) {
    this.#options = options
  }

  /** @throws only when `abandoned` is aborted: the broker will deliver the messages again. */
  async write({ clicks, undecodable }: DecodedBatch, abandoned: AbortSignal): Promise<void> {
    for (const { content, type, reason, detail } of undecodable) {
      await this.#persist(abandoned, () => this.#options.deadLetters.publish({ type, content, reason, detail }))
      this.#options.figures.dead(reason)
      this.#options.logger.error({ reason, detail, bytes: content.length }, 'message part is dead')
    }
    if (clicks.length > 0) await this.#count(clicks, abandoned)
  }

  async #count(clicks: readonly Click[], abandoned: AbortSignal): Promise<void> {
    const { store, figures, logger } = this.#options
    for (let attempt = 1; ; attempt += 1) {
      abandoned.throwIfAborted()
      const startedAtMs = performance.now()
      try {
        const { counted, duplicates } = await store.count(clicks)
        const seconds = (performance.now() - startedAtMs) / 1000
        figures.counted(counted, duplicates, seconds)
        if (logger.isLevelEnabled('debug'))
          logger.debug({ counted, duplicates, seconds, requests: requestsOf(clicks) }, 'clicks counted')
        return
      } catch (error) {
        switch (verdictOn(error)) {
          case 'refused':
            return await this.#split(clicks, error as Error, abandoned)
          case 'partition_missing':
            logger.warn({ attempt }, 'partition missing')
            if (!(await this.#makePartitions(clicks, abandoned)))
              return await this.#split(clicks, error as Error, abandoned)
            break
          case 'wait':
            logger.warn({ err: error, attempt, clicks: clicks.length }, 'database not available, waiting')
            await sleep(backoffMs(attempt), undefined, { signal: abandoned })
        }
      }
    }
  }

  /** False where a click's id has a time for which there can be no partition. */
  async #makePartitions(clicks: readonly Click[], abandoned: AbortSignal): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      abandoned.throwIfAborted()
      try {
        await this.#options.store.makePartitionsFor(clicks)
        return true
      } catch (error) {
        if (verdictOn(error) === 'refused') return false
        this.#options.logger.warn({ err: error, attempt }, 'partition not made, waiting')
        await sleep(backoffMs(attempt), undefined, { signal: abandoned })
      }
    }
  }

  /** Halves until the click that the database refuses is alone: its neighbours are counted. */
  async #split(clicks: readonly Click[], error: Error, abandoned: AbortSignal): Promise<void> {
    const [only] = clicks
    if (clicks.length > 1 || only === undefined) {
      const middle = clicks.length >> 1
      await this.#count(clicks.slice(0, middle), abandoned)
      await this.#count(clicks.slice(middle), abandoned)
      return
    }
    const { deadLetters, store, figures, logger } = this.#options
    const reason = 'refused_by_database'
    const detail = error.message
    await this.#persist(abandoned, async () => {
      const content = Buffer.from(encodeClick(only))
      await deadLetters.publish({ type: clicksMessageType, content, reason, detail, requestId: only.requestId })
      await store.noteDead(only, reason, detail)
    })
    figures.dead(reason)
    logger.error({ err: error, clickId: only.id, requestId: only.requestId, reason }, 'click is dead')
  }

  /** Does it until it succeeds. */
  async #persist(abandoned: AbortSignal, act: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      abandoned.throwIfAborted()
      try {
        return await act()
      } catch (error) {
        this.#options.logger.warn({ err: error, attempt }, 'not available, waiting')
        await sleep(backoffMs(attempt), undefined, { signal: abandoned })
      }
    }
  }
}

function requestsOf(clicks: readonly Click[]): Record<string, number> {
  const requests: Record<string, number> = {}
  for (const { requestId } of clicks) requests[requestId] = (requests[requestId] ?? 0) + 1
  return requests
}
