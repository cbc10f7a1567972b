import type { ClickEvent } from '@clicktally/event/click-event.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { ClickDrafts, visitorName } from './click-draft.ts'

/** A click with the fields that every synthetic click has. */
export type SyntheticClick = ClickEvent & Required<Pick<ClickEvent, 'id' | 'target' | 'occurredAt' | 'visitorId'>>

export interface SyntheticClicksOptions {
  /** Number of distinct visitors. Default: 100,000. */
  readonly visitors?: number
}

/** An endless sequence of clicks. Equal seeds yield equal clicks, apart from their ids. */
export class SyntheticClicks {
  readonly #seed: number
  readonly #drafts: ClickDrafts

  constructor(seed: number, { visitors = 100_000 }: SyntheticClicksOptions = {}) {
    this.#seed = seed
    this.#drafts = new ClickDrafts(seed, visitors)
  }

  /** @param timeMs time of the click and of its id, in milliseconds since 1970 */
  next(timeMs: number): SyntheticClick {
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
