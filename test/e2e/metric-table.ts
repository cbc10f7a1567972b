import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Metric {
  readonly name: string
  readonly type: string
}

/** The metrics in docs/metrics.md, by the heading under which they are. */
export function documentedMetrics(): Map<string, Metric[]> {
  const text = readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8')
  const sections = text.split(/^## /m).slice(1)
  return new Map(
    sections.map((section) => {
      const rows = section.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)
      return [section.slice(0, section.indexOf('\n')), Array.from(rows, ([, name = '', type = '']) => ({ name, type }))]
    }),
  )
}

/** The metrics that an endpoint serves, also those without a value so far. */
export async function servedMetrics(url: string): Promise<Metric[]> {
  const response = await fetch(url)
  const text = await response.text()
  return Array.from(text.matchAll(/^# TYPE (\w+) (\w+)$/gm), ([, name = '', type = '']) => ({ name, type }))
}
