import { TargetCounts } from '@clicktally/requests/target-counts.ts'
import { type ClickDraft, ClickDrafts, visitorName } from '@clicktally/synthetic-clicks/click-draft.ts'
import { visitorAttributes } from '@clicktally/synthetic-clicks/visitor-attributes.ts'
import type { Click } from './click.ts'
import { clickId } from './click-id.ts'
import type { ClickSource, Survey } from './click-source.ts'
import type { Timeline } from './timeline.ts'

const dayMs = 86_400_000
/** The event loop runs after this many clicks, so that Ctrl-C is handled. */
const clicksPerTurn = 10_000
const clicksPerVisitor = 6

/** Synthetic clicks of one day: a few hot targets and a long tail, returning visitors, some bots. */
export class SyntheticClicks implements ClickSource {
  readonly name: string
  readonly #count: number
  readonly #seed: number

  /** @param seed equal seeds and counts yield equal clicks, apart from their times */
  constructor(count: number, seed: number) {
    this.#count = count
    this.#seed = seed
    this.name = `synthetic clicks, seed ${seed}`
  }

  async survey(signal: AbortSignal, onProgress: (share: number, clicks: number) => void): Promise<Survey> {
    const survey: Survey = { counts: new TargetCounts(), firstMs: Infinity, lastMs: -Infinity, unreadable: 0 }
    for (const draft of this.#drafts()) {
      survey.counts.add(draft.target, draft.bot ? 0 : 1, draft.bot ? 1 : 0)
      survey.firstMs = Math.min(survey.firstMs, draft.timeMs)
      survey.lastMs = Math.max(survey.lastMs, draft.timeMs)
      if (survey.counts.clicks % clicksPerTurn === 0) {
        await new Promise(setImmediate)
        signal.throwIfAborted()
        onProgress(survey.counts.clicks / this.#count, survey.counts.clicks)
      }
    }
    return survey
  }

  async *clicks(timeline: Timeline): AsyncGenerator<Click> {
    let position = 0
    for (const draft of this.#drafts()) {
      position++
      const timeMs = timeline.move(draft.timeMs)
      yield {
        id: clickId(timeMs, timeline.endMs, position, `${this.#seed} ${draft.target} ${draft.visitor}`),
        target: draft.target,
        occurredAt: new Date(timeMs).toISOString(),
        visitorId: visitorName(this.#seed, draft.visitor),
        ...(draft.referrer !== undefined && { referrer: draft.referrer }),
        ...visitorAttributes(this.#seed, draft.visitor, draft.bot),
        ...(draft.bot && { bot: true }),
      }
    }
  }

  async close(): Promise<void> {}

  *#drafts(): Generator<ClickDraft & { readonly timeMs: number }> {
    const drafts = new ClickDrafts(this.#seed, Math.max(1, Math.floor(this.#count / clicksPerVisitor)))
    for (let made = 0; made < this.#count; made++) {
      const draft = drafts.next()
      yield { ...draft, timeMs: Math.floor(draft.moment * dayMs) }
    }
  }
}
