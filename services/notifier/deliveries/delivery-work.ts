import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { type Delivery, recordOutcome, takeDeliveries } from './delivery-queue.ts'
import { type Outcome, type SendOptions, send } from './send.ts'
import { sign } from './signature.ts'

export interface DeliveryWorkOptions extends SendOptions {
  readonly db: Kysely<Tables>
  readonly logger: Logger
  readonly onAttempt: (outcome: 'delivered' | 'failed') => void
}

/** Requests in flight, each to another webhook: a slow receiver delays nobody but itself. */
const maxAtOnce = 20

/**
 * Sends what is due, one delivery of a webhook at a time, from any number of instances. What was begun and not recorded is sent
 * again with the same id: each event is delivered at least once.
 */
export class DeliveryWork {
  readonly #options: DeliveryWorkOptions
  readonly #inFlight = new Set<Promise<void>>()

  constructor(options: DeliveryWorkOptions) {
    this.#options = options
  }

  /** Begins what is due and does not wait for it. @throws the error of the database */
  async begin(): Promise<void> {
    const free = maxAtOnce - this.#inFlight.size
    if (free <= 0) return
    for (const delivery of await takeDeliveries(this.#options.db, free)) {
      const attempt = this.#deliver(delivery).finally(() => this.#inFlight.delete(attempt))
      this.#inFlight.add(attempt)
    }
  }

  /** Waits for what has begun. */
  async close(): Promise<void> {
    await Promise.all(this.#inFlight)
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { db, logger, onAttempt } = this.#options
    const { webhookId, eventId, attempts } = delivery
    const outcome = await this.#send(delivery)
    onAttempt(outcome.error === undefined ? 'delivered' : 'failed')
    const about = { webhook: webhookId, event: eventId, attempt: attempts }
    if (outcome.error !== undefined) logger.info({ ...about, reason: outcome.error }, 'delivery failed')
    try {
      if (await recordOutcome(db, delivery, outcome)) logger.warn(about, 'webhook disabled')
    } catch (error) {
      logger.warn({ ...about, err: error }, 'outcome not recorded, the event will be sent again')
    }
  }

  async #send({ eventId, url, secrets, body }: Delivery): Promise<Outcome> {
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Clicktally-Webhooks/1',
      ...sign(eventId, Date.now(), body, secrets),
    }
    return await send(url, headers, body, this.#options)
  }
}
