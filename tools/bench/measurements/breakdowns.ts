import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Client } from 'pg'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { percentile } from '../report/samples.ts'
import { type AttributedClicks, attributedDays, insertAttributedClicks } from '../storing/attributed-clicks.ts'
import { packHours } from '../storing/packing.ts'
import { createFreshDatabase, type FreshDatabase, withClient } from '../system/databases.ts'
import { startService } from '../system/programs.ts'

const amounts = { full: 10_000_000, short: 1_000_000 }
const minuteMs = 60_000
/** Raw rows take seconds. */
const rawRepetitions = { full: 3, short: 2 }
const repetitions = { full: 21, short: 11 }

interface Question {
  readonly name: string
  readonly path: string
  /** The same asked of raw rows: what is selected, of which rows. */
  readonly raw?: { readonly select: string; readonly where?: string }
}

const isPerson = 'count(*) filter (where not bot) as total, count(*) filter (where bot) as bots'
const twoFilters = {
  path: 'filter=country:is:AA,AB,BA&filter=browser:not:Chrome',
  sql: `country in ('AA', 'AB', 'BA') and agent not like 'a%'`,
}

const questions = [
  { name: 'by country', path: '/v1/counts/by/country?', raw: { select: `country, ${isPerson}` } },
  {
    name: 'by path',
    path: '/v1/counts/by/path?',
    raw: { select: `substring(url from '^https?://[^/?#]+([^?#]*)'), ${isPerson}` },
  },
  {
    name: 'two filters, by referrer',
    path: `/v1/counts/by/referrer?${twoFilters.path}`,
    raw: { select: `substring(referrer from '//([^/]+)'), ${isPerson}`, where: twoFilters.sql },
  },
  {
    name: 'two filters, counts with visitors',
    path: `/v1/counts?${twoFilters.path}`,
    raw: { select: `null, ${isPerson}, count(distinct visitor_id) filter (where not bot)`, where: twoFilters.sql },
  },
  {
    name: 'by country, with visitors',
    path: '/v1/counts/by/country?visitors=true',
    raw: { select: `country, ${isPerson}, count(distinct visitor_id) filter (where not bot)` },
  },
  { name: 'one target, by path', path: '/v1/counts/by/path?target=/1' },
  {
    name: 'one filter, series by day in Kathmandu',
    path: '/v1/counts/series?interval=day&tz=Asia/Kathmandu&filter=country:is:AA',
  },
] as const satisfies readonly Question[]

const [byCountry, byPath, twoFiltersByReferrer] = questions

/** Packing hours as columns, and questions that read them. */
export const breakdowns: Measurement = {
  name: 'breakdowns',
  title: 'breakdowns and filters',
  run: measureBreakdowns,
}

async function measureBreakdowns(stage: Stage): Promise<Section> {
  const system = await stage.system()
  const database = await createFreshDatabase(system)
  try {
    const stored = await withClient(database.ownerUrl, (client) =>
      insertAttributedClicks(client, amounts[stage.short ? 'short' : 'full'], (share) =>
        stage.progress('storing clicks', 0.4 * share),
      ),
    )
    stage.progress('packing hours', 0.4)
    const packed = await measurePacking(stage, database, () => system.cpuOf(['postgres'])[0] ?? 0)
    const bytes = await withClient(database.ownerUrl, readBytes)
    const { times, failed } = await measureQuestions(stage, database, system, stored)
    const raw = await measureRawRows(stage, database, stored)
    const perClick = (part: keyof Bytes) => [bytes[part] / stored.clicks]
    return {
      title: 'Breakdowns and filters',
      about: [
        `${formatCount(stored.clicks)} clicks over ${attributedDays.all} days, most of them in the last ${attributedDays.dense}, on 1,500
targets and 5,000 paths by 100,000 visitors. Their hours are packed as columns by one process. The questions cover all clicks, from another minute
each time, and are sent to the api one at a time. Raw rows: the same asked of the table of clicks with "group by", as systems do that keep only rows,
with an index on no column but the key, and with parallel workers, which the api forgoes.`,
      ],
      tables: [
        {
          of: 'packing',
          columns: [
            { name: 'CPU per click, processor', unit: 'µs' },
            { name: 'CPU per click, PostgreSQL', unit: 'µs' },
          ],
          rows: [{ name: 'all hours', cells: [[packed.ownMicros], [packed.postgresMicros]] }],
        },
        {
          of: 'disk space',
          columns: [{ name: 'per click', unit: 'bytes' }],
          rows: [
            { name: 'columns', cells: [perClick('columns')] },
            { name: 'values of dimensions', cells: [perClick('values')] },
            { name: 'sums of days and months', cells: [perClick('sums')] },
          ],
        },
        {
          of: 'question',
          columns: [
            { name: 'p50', unit: 'ms' },
            { name: 'longest', unit: 'ms' },
            { name: 'raw rows, p50', unit: 'ms' },
            { name: 'raw rows relative to p50', unit: '×' },
          ],
          rows: questions.map(({ name }) => {
            const own = times.get(name) ?? []
            const others = raw.get(name)
            return {
              name,
              cells: [
                [percentile(own, 0.5)],
                [percentile(own, 1)],
                others && [percentile(others, 0.5)],
                others && [percentile(others, 0.5) / percentile(own, 0.5)],
              ],
            }
          }),
        },
      ],
      verdicts: [
        { target: 'packing', samples: [packed.ownMicros] },
        {
          target: 'breakdownOfYear',
          samples: [byCountry, byPath].map(({ name }) => percentile(times.get(name) ?? [], 0.5)),
        },
        { target: 'twoFilters', samples: [percentile(times.get(twoFiltersByReferrer.name) ?? [], 0.5)] },
      ],
      voided: [
        ...(packed.clicks === stored.clicks ? [] : [`${packed.clicks} of ${stored.clicks} clicks were packed`]),
        ...(failed > 0 ? [`${failed} questions were not answered with 200`] : []),
      ],
    }
  } finally {
    await database.drop()
  }
}

async function measurePacking(stage: Stage, database: FreshDatabase, postgresSeconds: () => number) {
  const postgresBefore = postgresSeconds()
  const before = process.cpuUsage()
  const clicks = await packHours(database, stage.signal)
  const { user, system } = process.cpuUsage(before)
  return {
    clicks,
    ownMicros: (user + system) / clicks,
    postgresMicros: ((postgresSeconds() - postgresBefore) * 1e6) / clicks,
  }
}

/** Sorted milliseconds by the name of the question. */
type Times = ReadonlyMap<string, readonly number[]>

async function measureQuestions(
  stage: Stage,
  database: FreshDatabase,
  system: Awaited<ReturnType<Stage['system']>>,
  { fromMs, toMs }: AttributedClicks,
): Promise<{ times: Times; failed: number }> {
  const api = await startService({
    ...{ service: 'api', name: 'breakdowns', system, databaseUrl: database.urlFor('api'), stage },
  })
  const times = new Map(questions.map(({ name }): [string, number[]] => [name, []]))
  const rounds = repetitions[stage.short ? 'short' : 'full']
  let failed = 0
  try {
    // The first round warms up.
    for (let round = -1; round < rounds; round += 1) {
      for (const { name, path } of questions) {
        stage.progress(name, 0.75 + (0.15 * (round + 1)) / rounds)
        // Each begins at another minute, so that nothing is cached.
        const from = new Date(fromMs + (round + 1) * minuteMs).toISOString()
        const startedAtMs = performance.now()
        const headers = { authorization: `Bearer ${system.ownerKey}` }
        const response = await fetch(`${api.url}${path}&from=${from}&to=${new Date(toMs).toISOString()}`, {
          ...{ headers, signal: stage.signal },
        })
        await response.arrayBuffer()
        if (response.status !== 200) failed += 1
        if (round >= 0) times.get(name)?.push(performance.now() - startedAtMs)
      }
    }
  } finally {
    await api.program.stop()
  }
  for (const each of times.values()) each.sort((a, b) => a - b)
  return { times, failed }
}

async function measureRawRows(
  stage: Stage,
  { ownerUrl }: FreshDatabase,
  { fromMs, toMs }: AttributedClicks,
): Promise<Times> {
  const times = new Map<string, number[]>()
  const rounds = rawRepetitions[stage.short ? 'short' : 'full']
  await withClient(ownerUrl, async (client) => {
    for (const { name, raw } of questions as readonly Question[]) {
      if (raw === undefined) continue
      const ofQuestion: number[] = []
      for (let round = 0; round < rounds; round += 1) {
        stage.signal.throwIfAborted()
        stage.progress(`${name}, from raw rows`, 0.9)
        const startedAtMs = performance.now()
        await client.query(
          `select ${raw.select} from clicks
           where project_id = 1 and occurred_at >= $1 and occurred_at < $2 and ${raw.where ?? 'true'}
           group by 1 order by 2 desc limit 10`,
          [new Date(fromMs + (round + 1) * minuteMs), new Date(toMs)],
        )
        ofQuestion.push(performance.now() - startedAtMs)
      }
      times.set(
        name,
        ofQuestion.sort((a, b) => a - b),
      )
    }
  })
  return times
}

/** With indexes. */
interface Bytes {
  readonly columns: number
  readonly values: number
  readonly sums: number
}

async function readBytes(client: Client): Promise<Bytes> {
  const { rows } = await client.query<Bytes>(
    `select
       pg_total_relation_size('click_columns')::float8 as columns,
       pg_total_relation_size('dimension_values')::float8 as values,
       pg_total_relation_size('dimension_sums')::float8 as sums`,
  )
  return rows[0] as Bytes
}
