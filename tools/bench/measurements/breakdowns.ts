import { createPool } from '@clicktally/database/pool.ts'
import { HourPacking } from '@clicktally/processor/background/packing/hour-packing.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Client } from 'pg'
import { pino } from 'pino'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { percentile } from '../report/samples.ts'
import { insertAttributedClicks } from '../storing/attributed-clicks.ts'
import { createFreshDatabase, withClient } from '../system/databases.ts'
import { startService } from '../system/programs.ts'

const amounts = { full: { clicks: 10_000_000, days: 30 }, short: { clicks: 1_000_000, days: 10 } }

const questions: Readonly<Record<string, string>> = {
  'by country': '/v1/counts/by/country?',
  'by path': '/v1/counts/by/path?',
  'two filters, by referrer': '/v1/counts/by/referrer?filter=country:is:AA,AB,BA&filter=browser:not:Chrome',
  'two filters, counts with visitors': '/v1/counts?filter=country:is:AA,AB,BA&filter=browser:not:Chrome',
  'by country, with visitors': '/v1/counts/by/country?visitors=true',
  'one target, by path': '/v1/counts/by/path?target=/1',
  'one filter, series by day in Kathmandu': '/v1/counts/series?interval=day&tz=Asia/Kathmandu&filter=country:is:AA',
}

/** Packing hours as columns, and questions that read them. */
export const breakdowns: Measurement = {
  name: 'breakdowns',
  title: 'breakdowns and filters',
  run: measureBreakdowns,
}

async function measureBreakdowns(stage: Stage): Promise<Section> {
  const system = await stage.system()
  const size = stage.short ? amounts.short : amounts.full
  const database = await createFreshDatabase(system)
  try {
    stage.progress('storing clicks', 0)
    const stored = await withClient(database.ownerUrl, (client) =>
      insertAttributedClicks(client, size.clicks, size.days),
    )
    stage.progress('packing hours', 0.4)
    const packed = await measurePacking(stage, database.urlFor('processor'), () => system.cpuOf(['postgres'])[0] ?? 0)
    const bytes = await withClient(database.ownerUrl, readBytes)
    const api = await startService({
      ...{ service: 'api', name: 'breakdowns', system, databaseUrl: database.urlFor('api'), stage },
    })
    const times = new Map<string, number[]>()
    let failed = 0
    try {
      const to = new Date(stored.toMs).toISOString()
      const rounds = stage.short ? 5 : 11
      for (let round = 0; round < rounds; round += 1) {
        for (const [name, path] of Object.entries(questions)) {
          stage.progress(name, 0.7 + (0.3 * round) / rounds)
          // Each begins at another minute, so that nothing is cached.
          const from = new Date(stored.fromMs + round * 60_000).toISOString()
          const startedAtMs = performance.now()
          const headers = { authorization: `Bearer ${system.ownerKey}` }
          const response = await fetch(`${api.url}${path}&from=${from}&to=${to}`, { headers, signal: stage.signal })
          await response.arrayBuffer()
          if (response.status !== 200) failed += 1
          times.set(name, [...(times.get(name) ?? []), performance.now() - startedAtMs])
        }
      }
    } finally {
      await api.program.stop()
    }
    const figures = (name: string) => (times.get(name) ?? []).slice(1).sort((a, b) => a - b)
    return {
      title: 'Breakdowns and filters',
      about: [
        `${formatCount(stored.clicks)} clicks over ${stored.days} days, on 1,500 targets and 5,000 paths by 100,000 visitors. Their hours are packed as
columns by one process. The questions cover all clicks, from another minute each time, and are sent to the api one at a time.`,
      ],
      tables: [
        {
          of: 'packing',
          columns: [
            { name: 'CPU per click, processor', unit: 'µs' },
            { name: 'CPU per click, PostgreSQL', unit: 'µs' },
            { name: 'columns per click', unit: 'bytes' },
          ],
          rows: [{ name: 'all hours', cells: [[packed.ownMicros], [packed.postgresMicros], [bytes / stored.clicks]] }],
        },
        {
          of: 'question',
          columns: [
            { name: 'p50', unit: 'ms' },
            { name: 'longest', unit: 'ms' },
          ],
          rows: Object.keys(questions).map((name) => ({
            name,
            cells: [[percentile(figures(name), 0.5)], [percentile(figures(name), 1)]],
          })),
        },
      ],
      verdicts: [],
      voided: [
        ...(packed.clicks === stored.clicks ? [] : [`${packed.clicks} of ${stored.clicks} clicks were packed`]),
        ...(failed > 0 ? [`${failed} questions were not answered with 200`] : []),
      ],
    }
  } finally {
    await database.drop()
  }
}

async function measurePacking(stage: Stage, url: string, postgresSeconds: () => number) {
  const logger = pino({ level: 'silent' })
  const pool = createPool({ url, name: 'bench packing', logger, maxConnections: 2, statementTimeoutMs: 120_000 })
  const packing = new HourPacking({ pool })
  const stop = () => packing.close()
  stage.signal.addEventListener('abort', stop)
  try {
    const postgresBefore = postgresSeconds()
    const before = process.cpuUsage()
    const clicks = await packing.pack()
    const { user, system } = process.cpuUsage(before)
    return {
      clicks,
      ownMicros: (user + system) / clicks,
      postgresMicros: ((postgresSeconds() - postgresBefore) * 1e6) / clicks,
    }
  } finally {
    stage.signal.removeEventListener('abort', stop)
    await pool.end()
  }
}

/** Of the columns and the values of dimensions, with their indexes. */
async function readBytes(client: Client): Promise<number> {
  const { rows } = await client.query(
    `select (pg_total_relation_size('click_columns') + pg_total_relation_size('dimension_values'))::float8 as bytes`,
  )
  return rows[0].bytes
}
