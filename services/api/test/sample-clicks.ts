import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { isBot } from '@clicktally/access-log/log-click.ts'
import { type LogLine, parseLogLine } from '@clicktally/access-log/log-line.ts'
import { browsers, encodeAgent, operatingSystems } from '@clicktally/dimensions/agent-codes.ts'
import type { Click } from '@clicktally/event/click.ts'
import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { seededRandom } from '@clicktally/synthetic-clicks/seeded-random.ts'
import { readConfig } from '@clicktally/testing/config.ts'

/** Clocks are turned by half an hour on Lord Howe and by an hour in Adelaide on 4 October. */
export const sampleFromMs = Date.UTC(2026, 9, 2, 10)
export const sampleDays = 4

const countries = ['DE', 'AT', 'FR', 'JP', 'US', undefined]
const plans = [{ plan: 'free' }, { plan: 'pro' }, { plan: 3 }, { other: 'x' }, undefined]
const campaigns = ['', '', '?utm_source=news&utm_medium=email', '?utm_campaign=a,b%5C&utm_source=x', '?gclid=1']

/** Clicks of four days: from the access log that the environment names, or else made up. */
export function sampleClicks(): Click[] {
  const { accessLog } = readConfig(process.env)
  const lines = accessLog === undefined ? madeUpLines() : linesOf(accessLog)
  const firstMs = lines.reduce((first, { timeMs }) => Math.min(first, timeMs), Infinity)
  const random = seededRandom(42)
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)] as Value
  return lines.map((line): Click => {
    const { target, address, referrer, userAgent = '' } = line
    const occurredAtMs =
      sampleFromMs + ((line.timeMs - firstMs) % (sampleDays * 86_400_000)) + Math.floor(random() * 1_000)
    const name = (names: Readonly<Record<string, string>>) =>
      Object.values(names).find((each) => userAgent.includes(each)) ?? 'Other'
    const [country, props] = [pick(countries), pick(plans)]
    return {
      ...{
        id: randomUuidV7(Date.now()),
        projectId: 1,
        requestId: 'r',
        target,
        occurredAtMs,
        receivedAtMs: occurredAtMs,
      },
      ...(address !== undefined && { visitorId: address }),
      ...(referrer !== undefined && { referrer }),
      ...(isBot(line) && { bot: true as const }),
      url: `https://www.site.example${target.startsWith('/') ? target : '/'}${pick(campaigns)}`,
      agent: encodeAgent({ browser: name(browsers), os: name(operatingSystems), device: 'Desktop' }),
      ...(country !== undefined && { country }),
      ...(props !== undefined && { props }),
    }
  })
}

function linesOf(file: string): LogLine[] {
  const text = gunzipSync(readFileSync(file)).toString('utf8')
  return text.split('\n').flatMap((line) => parseLogLine(line) ?? [])
}

function madeUpLines(): LogLine[] {
  const random = seededRandom(7)
  const agents = ['Mozilla/5.0 (Windows) Chrome/1', 'Mozilla/5.0 (Linux) Firefox/1', 'Googlebot/2.1', '']
  const referrers = [
    'https://www.google.com/',
    'https://news.ycombinator.com/item',
    'https://site.example/a',
    undefined,
  ]
  return Array.from({ length: 6_000 }, () => {
    const [agent, referrer] = [Math.floor(random() ** 2 * 4), Math.floor(random() * 4)]
    const from = referrers[referrer]
    return {
      timeMs: Math.floor(random() * sampleDays * 86_400_000),
      target: `/${['blog', 'shop', 'a,b'][Math.floor(random() * 3)]}/${Math.floor(random() ** 3 * 200)}`,
      address: `10.0.${Math.floor(random() ** 2 * 12)}.${Math.floor(random() * 250)}`,
      userAgent: agents[agent] as string,
      ...(from !== undefined && { referrer: from }),
    }
  })
}
