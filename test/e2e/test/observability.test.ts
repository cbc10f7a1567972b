import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeScratchFolder } from '@clicktally/local/files/scratch-folder.ts'
import { rabbitmqctl } from '@clicktally/local/servers/rabbitmq.ts'
import { type System, startSystem } from '@clicktally/local/system.ts'
import { patience } from '@clicktally/testing/patience.ts'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { alertRules, infraDir, installedPrometheus, readYaml } from '../alert-rules.ts'
import { documentedMetrics } from '../metric-table.ts'
import { PrometheusClient } from '../prometheus-client.ts'

const installed = await installedPrometheus()
const whyNot = typeof installed === 'string' ? installed : undefined

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[]
}

const dashboard = JSON.parse(readFileSync(join(infraDir, 'grafana/dashboards/clicktally.json'), 'utf8')) as Dashboard
const panels = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))

/** Seconds instead of minutes. */
function inSeconds(content: string): string {
  return content
    .replaceAll(
      /(scrape_interval|scrape_timeout|evaluation_interval|for|group_wait|group_interval): \d+[smh]/g,
      '$1: 1s',
    )
    .replaceAll('[5m]', '[15s]')
}

describe.skipIf(whyNot !== undefined)(
  `Prometheus and Alertmanager${whyNot === undefined ? '' : ` (skipped: ${whyNot})`}`,
  () => {
    let dir: string
    let system: System
    let prometheus: PrometheusClient

    beforeAll(async () => {
      dir = await makeScratchFolder('observability')
      system = await startSystem({
        dir,
        port: 0,
        ingests: 1,
        processors: 1,
        onLine: () => {},
        observability: { adapt: inSeconds, onUsualPorts: false },
      })
      if (system.observability === undefined) throw new Error('Prometheus was not started')
      prometheus = new PrometheusClient(system.observability)
    })

    afterAll(async () => {
      await system?.stop()
      await rm(dir, { recursive: true, force: true })
    })

    async function send(event: object): Promise<number> {
      const { status } = await fetch(new URL('/v1/events', system.baseUrl), {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${system.ownerKey}` },
        body: JSON.stringify(event),
      })
      return status
    }

    const untilFiring = (...alerts: string[]) =>
      vi.waitFor(async () => expect(await prometheus.alerts()).toEqual(expect.arrayContaining(alerts)), patience)

    const untilCleared = (...alerts: string[]) =>
      vi.waitFor(async () => {
        const firing = await prometheus.alerts()
        expect(firing.filter((each) => alerts.includes(each))).toEqual([])
      }, patience)

    test('scrape every service and RabbitMQ', async () => {
      await vi.waitFor(async () => {
        const up = await prometheus.query('up == 1')
        expect(up.map(({ metric }) => metric.job).sort()).toEqual(
          ['api', 'auth', 'ingest', 'janitor', 'notifier', 'processor', 'rabbitmq', 'rabbitmq-queues'].sort(),
        )
      }, patience)
    })

    test('the dashboard and the rules use only metrics that docs/metrics.md names', () => {
      const { groups } = readYaml<{ groups: { rules: { record: string; expr: string }[] }[] }>(
        'prometheus/recording-rules.yml',
      )
      const recorded = groups.flatMap(({ rules }) => rules)
      const known = new Set([
        ...[...documentedMetrics().values()].flat().map(({ name }) => name),
        ...recorded.map(({ record }) => record),
      ])
      const expressions = [...panels, ...recorded, ...alertRules()].map(({ expr }) => expr)
      const used = expressions.flatMap(
        (expr) => expr.match(/\b(?:clicktally|rabbitmq|http|job_route)[_:][\w:]+/g) ?? [],
      )
      const names = used.map((name) => name.replace(/_(bucket|sum|count)$/, ''))
      expect(new Set(names).size).toBeGreaterThan(30)
      expect(names.filter((name) => !known.has(name))).toEqual([])
    })

    test('answer every query of the dashboard', async () => {
      for (let click = 0; click < 20; click += 1) expect(await send({ target: 'button' })).toBe(202)
      expect(await send({})).toBe(422)
      // Nothing has been refused or become a dead letter.
      const mayBeEmpty = ['sum by (reason) (rate(clicktally_clicks_dead_total[5m]))', 'job_route:http_errors:rate5m']
      await vi.waitFor(async () => {
        for (const { title, expr } of panels) {
          const samples = await prometheus.query(expr)
          if (!mayBeEmpty.includes(expr)) expect([title, expr, samples.length]).not.toEqual([title, expr, 0])
        }
      }, patience)
    })

    test('fire and clear alerts when the database is stopped and started', async () => {
      const postgres = system.services.get('postgres')?.program
      await untilCleared('DatabaseDown')
      await postgres?.stop()
      await untilFiring('DatabaseDown', 'QueueWithoutConsumer')
      expect(await send({ target: 'button' })).toBe(202)
      await postgres?.start()
      await untilCleared('DatabaseDown', 'QueueWithoutConsumer')
    })

    test('fire and clear alerts when the broker is stopped and started', async () => {
      const rabbitmq = system.services.get('rabbitmq')?.program
      await untilCleared('BrokerUnavailable', 'ServiceDown')
      await rabbitmq?.stop()
      await untilFiring('BrokerUnavailable', 'ServiceDown')
      expect(await send({ target: 'button' })).toBe(503)
      await rabbitmq?.start()
      await untilCleared('BrokerUnavailable', 'ServiceDown')
    })

    test('fire and clear alerts when the disk of the broker has too little space', async () => {
      const rabbitmq = system.services.get('rabbitmq')?.program
      if (rabbitmq === undefined) throw new Error('no broker')
      await untilCleared('BrokerBlocked', 'BrokerDiskLow')
      await rabbitmqctl(rabbitmq, ['set_disk_free_limit', '1000000GB'])
      await vi.waitFor(async () => expect(await send({ target: 'button' })).toBe(503), patience)
      await untilFiring('BrokerBlocked', 'BrokerDiskLow')
      await rabbitmqctl(rabbitmq, ['set_disk_free_limit', '100MB'])
      await untilCleared('BrokerBlocked', 'BrokerDiskLow')
      expect(await send({ target: 'button' })).toBe(202)
    })

    test('a processor that is killed for good is missed', async () => {
      const processor = system.services.get('processor-1')?.program
      await untilCleared('ServiceDown')
      await processor?.stop()
      await untilFiring('ServiceDown', 'InstanceDown')
      await processor?.start()
      await untilCleared('ServiceDown', 'InstanceDown')
    })
  },
)
