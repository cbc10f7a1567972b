import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClick } from '@clicktally/processor/test/processor-under-test.ts'
import { expect, test } from 'vitest'
import { createApiOverClicks } from './stored-clicks.ts'

interface Target {
  readonly url: string
  readonly url_options: { readonly params: readonly { readonly key: string; readonly value: string }[] }
  readonly root_selector: string
  readonly columns: readonly { readonly selector: string; readonly type: 'string' | 'number' | 'timestamp' }[]
}
interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly Target[] }[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly current?: { value: string } }[] }
}

const file = join(import.meta.dirname, '../../../infra/grafana/infinity/clicks.json')
const { panels, templating } = JSON.parse(readFileSync(file, 'utf8')) as Dashboard

const variables: Record<string, string> = {
  '__from:date:iso': '2026-03-01T00:00:00.000Z',
  '__to:date:iso': '2026-03-02T00:00:00.000Z',
  ...Object.fromEntries(templating.list.map(({ name, current }) => [name, current?.value ?? ''])),
}
const replaced = (text: string) =>
  text.replaceAll(/\$\{([^}]+)\}/g, (_, name: string) => variables[name] ?? `no ${name}`)

/** As the Infinity data source does, for names of properties. */
function select(value: unknown, selector: string): unknown {
  return selector === '' ? value : (value as Record<string, unknown>)[selector]
}

test('the answers to the queries of the dashboard for Grafana have the columns that it shows', async () => {
  const api = await createApiOverClicks()
  const occurredAtMs = Date.parse('2026-03-01T10:00:00Z')
  await api.store([createClick({ occurredAtMs, country: 'DE', url: 'https://shop.example/', visitorId: 'ann' })])
  await api.fold()
  const typesOf = { string: 'string', number: 'number', timestamp: 'string' } as const
  const seen: string[] = []
  for (const { title, targets } of panels) {
    for (const { url, url_options, root_selector, columns } of targets) {
      const query = new URLSearchParams(
        url_options.params.map(({ key, value }): [string, string] => [key, replaced(value)]),
      )
      const { status, body } = await api.get(`${url}?${query}`)
      expect([title, status]).toEqual([title, 200])
      const root = select(body, root_selector)
      const rows = Array.isArray(root) ? root : [root]
      expect([title, rows.length > 0]).toEqual([title, true])
      for (const { selector, type } of columns) {
        const value = select(rows[0], selector)
        // Nothing is known of freshness before a processor has reported.
        if (value !== null) expect([title, selector, typeof value]).toEqual([title, selector, typesOf[type]])
        if (type === 'timestamp') expect(Date.parse(String(value))).not.toBeNaN()
      }
      seen.push(title)
    }
  }
  expect(seen).toEqual([
    'Clicks and visitors',
    'Fresh as of',
    'Clicks over time',
    'Top targets',
    'Channels',
    'Countries',
  ])
})
