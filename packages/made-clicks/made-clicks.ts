import type { ClickEvent } from '@clicktally/contract/click-event.ts'
import { randomUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import { ClickDrafts, visitorName } from './click-draft.ts'

/** A made click always has these. */
export type MadeClick = ClickEvent & Required<Pick<ClickEvent, 'id' | 'target' | 'occurredAt' | 'visitorId'>>

export interface MadeClicksOptions {
  /** How many different visitors there are, 100,000 by default. */
  readonly visitors?: number
}

/** Clicks without end: the same for the same seed, but for the random part of their ids. */
export class MadeClicks {
  readonly #seed: number
  readonly #drafts: ClickDrafts

  constructor(seed: number, { visitors = 100_000 }: MadeClicksOptions = {}) {
    this.#seed = seed
    this.#drafts = new ClickDrafts(seed, visitors)
  }

  /** @param timeMs when it took place, and the time in its id: milliseconds since 1970 */
  next(timeMs: number): MadeClick {
    const { target, visitor, bot, referrer } = this.#drafts.next()
    return {
      id: randomUuidV7(timeMs),
      target,
      occurredAt: new Date(timeMs).toISOString(),
      visitorId: visitorName(this.#seed, visitor),
      ...(referrer !== undefined && { referrer }),
      ...(bot && { bot: true }),
    }
  }
}
