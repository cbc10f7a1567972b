import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brokerDefinitions } from '@clicktally/broker/definitions.ts'
import { type Part, parts, serviceNames } from '@clicktally/system/parts.ts'
import { describe, expect, test } from 'vitest'
import { alertRules, infraDir, installedPrometheus, readYaml } from '../alert-rules.ts'

const run = promisify(execFile)
const installed = await installedPrometheus()
const whyNot = typeof installed === 'string' ? installed : undefined

interface RuleTest {
  readonly name: string
  readonly promql_expr_test: { readonly expr: string; readonly exp_samples: unknown[] }[]
}

const ruleTests = ['alert-rules.test.yml', 'alert-rules-of-days.test.yml']

/** What serves metrics all the time. */
const jobs = [...serviceNames.filter((name) => (parts[name] as Part).port !== undefined), 'rabbitmq']

describe('the alert rules', () => {
  test.runIf(whyNot === undefined)('fire when they should, and not before', async () => {
    const { promtool } = installed as Exclude<typeof installed, string>
    const { stdout } = await run(promtool, ['test', 'rules', ...ruleTests], {
      cwd: join(infraDir, 'prometheus'),
    })
    expect(stdout).toContain('SUCCESS')
  })

  test.skipIf(whyNot === undefined)(`were not run: ${whyNot}`, () => {})

  test('have a test each, in which they fire and do not fire', () => {
    const tests = ruleTests.flatMap((file) => readYaml<{ tests: RuleTest[] }>(`prometheus/${file}`).tests)
    for (const { alert } of alertRules()) {
      const samples = tests
        .flatMap(({ promql_expr_test: each }) => each)
        .filter(({ expr }) => expr.includes(`alertname="${alert}"`))
        .map(({ exp_samples: expected }) => expected.length)
      expect([alert, Math.min(...samples), Math.max(...samples)]).toEqual([alert, 0, 1])
    }
  })

  test('are described in docs/operations.md, each with its severity and what to do, and no other', () => {
    const text = readFileSync(join(infraDir, '../docs/operations.md'), 'utf8')
    const rows = Array.from(
      text.matchAll(/^\| `(\w+)` \| (critical|warning) \| (.+) \| (.+) \|$/gm),
      ([, alert, severity]) => ({
        alert,
        severity,
      }),
    )
    expect(rows).toEqual(
      expect.arrayContaining(alertRules().map(({ alert, labels }) => ({ alert, severity: labels.severity }))),
    )
    expect(rows).toHaveLength(alertRules().length)
  })

  test('tell when the queue is half full, by its size', () => {
    const { policies } = brokerDefinitions(() => '') as { policies: { name: string; definition: object }[] }
    const limit = policies.find(({ name }) => name === 'clicks')?.definition as { 'max-length-bytes': number }
    const { expr } = alertRules().find(({ alert }) => alert === 'QueueHalfFull') ?? {}
    expect(expr).toBe(`clicktally:backlog_bytes{queue="clicks"} > ${limit['max-length-bytes'] / 2}`)
  })

  test('watch each service that must not be absent for a minute, and Prometheus scrapes all', () => {
    const down = alertRules().find(({ alert }) => alert === 'ServiceDown')
    const watched = Array.from(down?.expr.matchAll(/job="(\w+)"/g) ?? [], ([, job]) => job)
    // What the janitor does can wait for a day: it has alerts of its own.
    expect(watched.sort()).toEqual(jobs.filter((job) => job !== 'janitor').sort())
    const { scrape_configs: scraped } = readYaml<{ scrape_configs: { job_name: string }[] }>(
      'prometheus/prometheus.yml',
    )
    expect(scraped.map(({ job_name: job }) => job).sort()).toEqual([...jobs, 'rabbitmq-queues'].sort())
  })
})

test.runIf(whyNot === undefined)('the configuration for docker compose is valid', async () => {
  const { promtool } = installed as Exclude<typeof installed, string>
  const { stdout } = await run(promtool, ['check', 'config', join(infraDir, 'prometheus/prometheus.yml')])
  expect(stdout).toMatch(/SUCCESS: .* is valid/)
})
