import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '@clicktally/synthetic-clicks/seeded-random.ts'
import { visitorAttributes } from '@clicktally/synthetic-clicks/visitor-attributes.ts'

const dayMs = 86_400_000
const clicksPerBatch = 500

/** What is clicked on the site of a small software company, and how often relative to each other. */
const targets = {
  'signup-button': 30,
  'pricing/start-trial': 22,
  'docs/quickstart': 19,
  'download/macos': 13,
  'download/linux': 9,
  'nav/blog': 8,
  'video/play': 6,
  'footer/newsletter': 4,
  'cart/checkout': 3,
  'share/copy-link': 2,
  'help/chat': 1,
}
const pages = ['/', '/pricing', '/docs/quickstart', '/download', '/blog/counting-exactly-once', '/changelog', '/about']
/** How a visitor came: the referrer, and what the link added to the page. */
const ways: readonly { readonly referrer?: string; readonly query?: string }[] = [
  { referrer: 'https://www.google.com/' },
  {},
  { referrer: 'https://news.ycombinator.com/' },
  { query: '?utm_source=newsletter&utm_medium=email&utm_campaign=november' },
  { referrer: 'https://github.com/' },
  { referrer: 'https://chatgpt.com/' },
  { referrer: 'https://www.reddit.com/' },
  { referrer: 'https://duckduckgo.com/' },
  { query: '?utm_source=linkedin&utm_medium=paid&utm_campaign=launch' },
]
const plans = ['free', 'team', 'business']

/**
 * Sends clicks of the last weeks, with the rhythm of days and weeks and slow growth, so that a dashboard has something to show.
 *
 * @param key an owner's or secret key, as old clicks are sent
 */
export async function sendSampleClicks(baseUrl: string, key: string, days = 62): Promise<void> {
  const random = seededRandom(1)
  const nowMs = Date.now()
  let batch: object[] = []
  const send = async () => {
    const response = await fetch(new URL('/v1/backfill', baseUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ events: batch }),
    })
    if (response.status !== 202)
      throw new Error(`the clicks were answered ${response.status}: ${await response.text()}`)
    batch = []
  }
  for (let hour = days * 24; hour >= 0; hour--) {
    const startMs = nowMs - hour * 3_600_000
    for (let left = Math.round(clicksOfHour(startMs, hour / 24 / days) * (0.7 + 0.6 * random())); left > 0; left--) {
      const timeMs = startMs + random() * Math.min(3_600_000, nowMs - startMs)
      batch.push(sampleClick(random, Math.min(timeMs, nowMs)))
      if (batch.length === clicksPerBatch) await send()
    }
  }
  if (batch.length > 0) await send()
}

/** Sends a click now and then, until the signal is aborted. Refused ones are not sent again. */
export async function keepClicking(baseUrl: string, key: string, signal: AbortSignal): Promise<void> {
  const random = seededRandom(2)
  while (!signal.aborted) {
    await post(new URL('/v1/events', baseUrl), key, sampleClick(random, Date.now())).catch(() => {})
    await sleep(100 + random() * 400)
  }
}

export async function createProject(baseUrl: string, key: string, name: string): Promise<void> {
  await post(new URL('/v1/projects', baseUrl), key, { name })
}

/** Makes the props of the sample clicks dimensions of a project. */
export async function declareProps(baseUrl: string, key: string, project: string): Promise<void> {
  await post(new URL(`/v1/projects/${project}`, baseUrl), key, { dimensions: ['plan'] }, 'PATCH')
}

async function post(url: URL, key: string, body: object, method = 'POST'): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${url.pathname} was answered ${response.status}: ${await response.text()}`)
}

/** More by day than by night, less at weekends, more than two months ago. */
function clicksOfHour(timeMs: number, age: number): number {
  const date = new Date(timeMs)
  const ofDay = 0.25 + Math.exp(-(((date.getHours() - 14) / 5) ** 2))
  const ofWeek = [0, 6].includes(date.getDay()) ? 0.6 : 1
  return 34 * ofDay * ofWeek * (1 - 0.4 * age)
}

function sampleClick(random: () => number, timeMs: number): object {
  const day = Math.floor(timeMs / dayMs)
  const visitor = Math.floor(random() ** 2 * 180)
  // The first of each list most often.
  const { referrer, query = '' } = pick(ways, random() ** 2)
  return {
    target: weighted(random()),
    occurredAt: new Date(timeMs).toISOString(),
    visitorId: `visitor ${day} ${visitor}`,
    url: `https://tally.example${pick(pages, random() ** 2)}${query}`,
    ...(referrer !== undefined && { referrer }),
    ...visitorAttributes(day, visitor, false),
    props: { plan: pick(plans, random() ** 2) },
    ...(random() < 0.03 && { bot: true }),
  }
}

function pick<Value>(values: readonly Value[], share: number): Value {
  return values[Math.floor(share * values.length)] as Value
}

function weighted(share: number): string {
  let left = share * Object.values(targets).reduce((sum, weight) => sum + weight, 0)
  for (const [target, weight] of Object.entries(targets)) {
    left -= weight
    if (left < 0) return target
  }
  return 'signup-button'
}
