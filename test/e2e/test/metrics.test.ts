import { rm } from 'node:fs/promises'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { documentedMetrics, type Metric, servedMetrics } from '../metric-table.ts'

let dir: string
let system: System

beforeAll(async () => {
  dir = await makeScratchFolder('metrics')
  system = await startSystem({ dir, port: 0, ingests: 1, processors: 1, onLine: () => {} })
})

afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const byName = (one: Metric, other: Metric) => (one.name < other.name ? -1 : 1)

/** By the service's name: the sections of docs/metrics.md that describe its metrics. */
const sectionsOf = (service: string) =>
  [...documentedMetrics().keys()].filter((title) => title.split(', ').includes(service))

/** The port of the only or first instance of a service. */
const portOf = (service: string) => (system.services.get(service) ?? system.services.get(`${service}-1`))?.port

test.for(['ingest', 'processor', 'notifier', 'api', 'auth', 'janitor'])(
  'docs/metrics.md names exactly the metrics of %s',
  async (service) => {
    const documented = ['Every service', ...sectionsOf(service)].flatMap(
      (title) => documentedMetrics().get(title) ?? [],
    )
    const served = await servedMetrics(`http://127.0.0.1:${portOf(service)}/metrics`)
    const own = served.filter(({ name }) => !/^(process|nodejs)_/.test(name))
    expect(own.sort(byName)).toEqual(documented.sort(byName))
    expect(served.length).toBeGreaterThan(own.length)
  },
)

test('docs/metrics.md names metrics that RabbitMQ has', async () => {
  const family = 'family=queue_coarse_metrics&family=queue_metrics'
  const pages = ['/metrics', `/metrics/detailed?${family}`].map((path) => servedMetrics(system.brokerMetricsUrl + path))
  expect((await Promise.all(pages)).flat()).toEqual(expect.arrayContaining(documentedMetrics().get('RabbitMQ') ?? []))
})
