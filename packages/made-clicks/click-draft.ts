import { hash } from 'node:crypto'
import { seededRandom } from './seeded-random.ts'
import { Zipf } from './zipf.ts'

// With an exponent near 1, as measured on websites again and again, the first of 1,500 targets gets an eighth of all.
const targetCount = 1_500
const targetExponent = 1
const botShare = 0.08

const namedTargets = ['/', '/pricing', '/docs', '/signup', '/download', '/blog', '/features', '/login', '/about']
const sections = ['/docs', '/blog', '/products', '/download', '/help']
const referrers = [
  'https://www.example.com/',
  'https://search.example.net/?q=clicks',
  'https://news.example.org/item/42',
]

/** What a click is about, before it has a time and an id. */
export interface ClickDraft {
  readonly target: string
  /** From 0 up to the number of visitors. */
  readonly visitor: number
  readonly bot: boolean
  /** When, as a share of the time that the clicks are of: from 0 up to, but not including, 1. */
  readonly moment: number
  readonly referrer: string | undefined
}

/** Some hot targets and a long tail, visitors who come back, a few bots: the same drafts for the same seed and visitors. */
export class ClickDrafts {
  readonly #seed: number
  readonly #visitors: number
  readonly #random: () => number
  readonly #targets = new Zipf(targetCount, targetExponent)

  /** @param visitors how many different ones there are, 1 or more */
  constructor(seed: number, visitors: number) {
    this.#seed = seed
    this.#visitors = visitors
    this.#random = seededRandom(seed)
  }

  next(): ClickDraft {
    const target = targetName(this.#targets.rank(this.#random()))
    // The square makes the first visitors regulars. Who is a bot is one always.
    const visitor = Math.floor(this.#random() ** 2 * this.#visitors)
    const bot = seededRandom(this.#seed ^ Math.imul(visitor + 1, 0x9e3779b1))() < botShare
    const moment = this.#random()
    const referrer = referrers[Math.floor(this.#random() * referrers.length * 2)]
    return { target, visitor, bot, moment, referrer }
  }
}

/** How a visitor of these drafts is called: 16 hex digits. */
export function visitorName(seed: number, visitor: number): string {
  return hash('sha256', `${seed} ${visitor}`, 'hex').slice(0, 16)
}

function targetName(rank: number): string {
  return namedTargets[rank] ?? `${sections[rank % sections.length]}/${rank}`
}
