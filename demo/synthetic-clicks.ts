import { visitorIdFor } from '@clicktally/access-log/visitor-id.ts'
import { TargetCounts } from '@clicktally/client/target-counts.ts'
import type { Click } from './click.ts'
import { clickId } from './click-id.ts'
import type { ClickSource, Survey } from './click-source.ts'
import { seededRandom } from './seeded-random.ts'
import type { Timeline } from './timeline.ts'
import { Zipf } from './zipf.ts'

const dayMs = 86_400_000
/** So many clicks are made before other work gets its turn, among it Ctrl-C. */
const clicksPerTurn = 10_000
// With an exponent near 1, as measured on websites again and again, the first of 1,500 targets gets an eighth of all.
const targetCount = 1_500
const targetExponent = 1
const botShare = 0.08
const clicksPerVisitor = 6

const namedTargets = ['/', '/pricing', '/docs', '/signup', '/download', '/blog', '/features', '/login', '/about']
const sections = ['/docs', '/blog', '/products', '/download', '/help']
const referrers = [
  'https://www.example.com/',
  'https://search.example.net/?q=clicks',
  'https://news.example.org/item/42',
]

interface Draft {
  /** From 0, the oldest, to a day. */
  timeMs: number
  target: string
  visitor: number
  bot: boolean
  referrer?: string
}

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
        visitorId: visitorIdFor(`${this.#seed} ${draft.visitor}`),
        ...(draft.referrer !== undefined && { referrer: draft.referrer }),
        ...(draft.bot && { bot: true }),
      }
    }
  }

  async close(): Promise<void> {}

  *#drafts(): Generator<Draft> {
    const random = seededRandom(this.#seed)
    const targets = new Zipf(targetCount, targetExponent)
    const visitorCount = Math.max(1, Math.floor(this.#count / clicksPerVisitor))
    for (let made = 0; made < this.#count; made++) {
      const target = targetName(targets.rank(random()))
      // The square makes the first visitors regulars. Who is a bot is one always.
      const visitor = Math.floor(random() ** 2 * visitorCount)
      const bot = seededRandom(this.#seed ^ Math.imul(visitor + 1, 0x9e3779b1))() < botShare
      const timeMs = Math.floor(random() * dayMs)
      const referrer = referrers[Math.floor(random() * referrers.length * 2)]
      yield { timeMs, target, visitor, bot, ...(referrer !== undefined && { referrer }) }
    }
  }
}

function targetName(rank: number): string {
  return namedTargets[rank] ?? `${sections[rank % sections.length]}/${rank}`
}
