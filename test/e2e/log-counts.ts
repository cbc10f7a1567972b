import { TargetCounts } from '@clicktally/requests/target-counts.ts'
import { isbot } from 'isbot'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const maxTargetChars = 256
const shape =
  /^\S+ \S+ \S+ \[(\d\d)\/(\w{3})\/(\d{4}):[^\]]* \+0000\] "\S+ (\S+) HTTP\/[\d.]+" \d{3} \S+ "[^"]*" "(.*?)"?$/

/** The expected counts of an access log, computed with one pattern, independently of the code under test. */
export class LogCounts {
  readonly targets = new TargetCounts()
  /** By UTC day: `2015-05-17`. */
  readonly days = new Map<string, { people: number; bots: number }>()

  /** @throws if a line does not match the pattern */
  constructor(log: string) {
    for (const line of log.trimEnd().split('\n')) {
      const [, day, month = '', year, path = '', userAgent = ''] = shape.exec(line) ?? []
      if (day === undefined) throw new Error(`the line does not match the pattern: ${line}`)
      // A client without a user agent counts as a person.
      const bot = userAgent !== '-' && isbot(userAgent)
      const date = `${year}-${String(months.indexOf(month) + 1).padStart(2, '0')}-${day}`
      const counted = this.days.get(date) ?? { people: 0, bots: 0 }
      counted[bot ? 'bots' : 'people'] += 1
      this.days.set(date, counted)
      const target = (path.split('?')[0] ?? '').slice(0, maxTargetChars)
      this.targets.add(target, bot ? 0 : 1, bot ? 1 : 0)
    }
  }
}

/** Generates an access log with lines on each of these days, `perDay` on average. The same seed gives the same log. */
export function generateLog(days: readonly Date[], perDay: number, seed: number): string {
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >>> 8) % below
  }
  const agents = [
    'Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0',
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'curl/8.5.0',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1',
  ]
  const lines = days.flatMap((day) => {
    const date = `${String(day.getUTCDate()).padStart(2, '0')}/${months[day.getUTCMonth()]}/${day.getUTCFullYear()}`
    const seconds = Array.from({ length: 1 + random(perDay * 2) }, () => random(86_400)).sort((a, b) => a - b)
    return seconds.map((second) => {
      const clock = new Date(second * 1000).toISOString().slice(11, 19)
      const path = `/${['', 'pricing', 'docs/a', 'caf%C3%A9'][random(4)]}${random(40)}${random(3) === 0 ? '?q=1' : ''}`
      const request = `"GET ${path} HTTP/1.1" 200 ${random(9_999)}`
      return `198.51.100.${random(250)} - - [${date}:${clock} +0000] ${request} "-" "${agents[random(agents.length)]}"\n`
    })
  })
  return lines.join('')
}
