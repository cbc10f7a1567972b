import { seededRandom } from './seeded-random.ts'

const crawler = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
const userAgents = [
  'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0',
  'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0',
]
const countries = ['US', 'IN', 'DE', 'BR', 'GB', 'FR', 'JP', 'NG']

/** What is always the same of one visitor. */
export interface VisitorAttributes {
  readonly userAgent: string
  readonly country: string
}

/** The attributes of a visitor, the first of each list most often. Equal arguments yield equal ones. */
export function visitorAttributes(seed: number, visitor: number, bot: boolean): VisitorAttributes {
  const random = seededRandom(seed ^ Math.imul(visitor + 1, 0x85ebca6b))
  // Squaring favours the first.
  const pick = (list: readonly string[]) => list[Math.floor(random() ** 2 * list.length)] as string
  const country = pick(countries)
  return { userAgent: bot ? crawler : pick(userAgents), country }
}
