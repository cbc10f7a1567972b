import { hash } from 'node:crypto'
import { seededRandom } from './seeded-random.ts'
import { Zipf } from './zipf.ts'

// Web traffic follows Zipf's law with an exponent near 1: the first of 1,500 targets gets an eighth of all clicks.
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

/** A click without its time and id. */
export interface ClickDraft {
  readonly target: string
  /** Index of the visitor, from 0. */
  readonly visitor: number
  readonly bot: boolean
  /** Position in the time span of all clicks, in [0, 1). */
  readonly moment: number
  readonly referrer: string | undefined
}

/** A few hot targets and a long tail, returning visitors, some bots. Equal seeds and visitors yield equal drafts. */
export class ClickDrafts {
  readonly #seed: number
  readonly #visitors: number
  readonly #random: () => number
  readonly #targets = new Zipf(targetCount, targetExponent)

  /** @param visitors number of distinct visitors, at least 1 */
  constructor(seed: number, visitors: number) {
    this.#seed = seed
    this.#visitors = visitors
    this.#random = seededRandom(seed)
  }

  next(): ClickDraft {
    const target = targetName(this.#targets.rank(this.#random()))
    // Squaring favours the first visitors. Whether a visitor is a bot depends on the visitor alone.
    const visitor = Math.floor(this.#random() ** 2 * this.#visitors)
    const bot = seededRandom(this.#seed ^ Math.imul(visitor + 1, 0x9e3779b1))() < botShare
    const moment = this.#random()
    const referrer = referrers[Math.floor(this.#random() * referrers.length * 2)]
    return { target, visitor, bot, moment, referrer }
  }
}

/** Returns the id of a visitor: 16 hexadecimal digits. */
export function visitorName(seed: number, visitor: number): string {
  return hash('sha256', `${seed} ${visitor}`, 'hex').slice(0, 16)
}

function targetName(rank: number): string {
  return namedTargets[rank] ?? `${sections[rank % sections.length]}/${rank}`
}
