import { TargetCounts } from '@clicktally/client/target-counts.ts'
import { type ClickDraft, ClickDrafts, visitorName } from '@clicktally/made-clicks/click-draft.ts'
import type { Click } from './click.ts'
import { clickId } from './click-id.ts'
import type { ClickSource, Survey } from './click-source.ts'
import type { Timeline } from './timeline.ts'

const dayMs = 86_400_000
/** So many clicks are made before other work gets its turn, among it Ctrl-C. */
const clicksPerTurn = 10_000
const clicksPerVisitor = 6

/** Clicks of a day that never was: some hot targets and a long tail, visitors who come back, a few bots. */
export class SyntheticClicks implements ClickSource {
  readonly name: string
  readonly #count: number
  readonly #seed: number

  /** @param seed the same seed and count give the same clicks, but for the day they fall on */
  constructor(count: number, seed: number) {
    this.#count = count
    this.#seed = seed
    this.name = `made clicks, seed ${seed}`
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
        ...(draft.bot && { bot: true }),
      }
    }
  }

  async close(): Promise<void> {}

  *#drafts(): Generator<ClickDraft & { readonly timeMs: number }> {
    const drafts = new ClickDrafts(this.#seed, Math.max(1, Math.floor(this.#count / clicksPerVisitor)))
    for (let made = 0; made < this.#count; made++) {
      const draft = drafts.next()
      // From 0, the oldest, to a day.
      yield { ...draft, timeMs: Math.floor(draft.moment * dayMs) }
    }
  }
}
