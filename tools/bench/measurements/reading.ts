import { LoadGenerator } from '@clicktally/load/load-generator.ts'
import { allOrFirstError } from '@clicktally/local/services/launch-levels.ts'
import { lastHour, makeClicks, messagesOf } from '@clicktally/synthetic-clicks/click-messages.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { tableOfTurns } from '../report/figure-table.ts'
import { percentile } from '../report/samples.ts'
import { Turns } from '../report/turns.ts'
import { longHistoryOf, yearMs } from '../storing/long-history.ts'
import type { BenchSystem, SystemPart } from '../system/bench-system.ts'
import { type RunningProgram, startService } from '../system/programs.ts'
import { fillClicks } from '../system/queue.ts'

const hotQuery = '/v1/counts?target=/'
/** Queries with as many different ranges. */
const differentQueries = 1_000
const connections = 64
const minStored = 10_000
const parts = ['nginx', 'api', 'postgres'] as const satisfies SystemPart[]
const minuteMs = 60_000
/** Slow queries are repeated less often, so that a round ends in this time. */
const roundWithinMs = 12_000

interface LoadTurn {
  readonly perSecond: number
  readonly cores: readonly number[]
}

/** Many queries at the same time, identical and different. */
export const microCache: Measurement = {
  name: 'micro-cache',
  title: 'concurrent queries',
  run: measureMicroCache,
}

/** The same queries to a database with few clicks and to one with many. */
export const yearCount: Measurement = {
  name: 'year-count',
  title: 'counts over a year, with few and with many clicks',
  run: measureYearCount,
}

async function measureMicroCache(stage: Stage): Promise<Section> {
  const { signal, dir } = stage
  const system = await stage.system()
  const generator = await LoadGenerator.find(signal)
  await ensureClicks(system, signal)
  const { stored } = await system.counted()
  const different = Array.from({ length: differentQueries }, (_, index) => {
    const from = new Date((Math.floor(Date.now() / minuteMs) - 180 - index) * minuteMs)
    return `${hotQuery}&from=${from.toISOString()}`
  })
  const ways = [
    { name: "identical, through nginx's cache", url: system.baseUrl, paths: [hotQuery] },
    { name: 'identical, directly from the api', url: system.apiUrl, paths: [hotQuery] },
    { name: 'different, directly from the api', url: system.apiUrl, paths: different },
  ] as const
  const turns = new Turns<LoadTurn>()
  let failed = 0
  for (let round = 0; round < stage.rounds; round += 1) {
    for (const [index, { name, url, paths }] of (round % 2 === 0 ? ways : ways.toReversed()).entries()) {
      stage.progress(name, (round + index / ways.length) / stage.rounds)
      const times = { warmUpMs: 500, measuredMs: stage.short ? 1_500 : 4_000 }
      const before = system.cpuOf(parts)
      const startedAtMs = performance.now()
      const load = await generator.run({
        url,
        key: system.ownerKey,
        content: { kind: 'get', paths },
        connections,
        ...times,
        dir,
        signal,
      })
      const seconds = (performance.now() - startedAtMs) / 1_000
      const cores = system.cpuOf(parts).map((after, part) => (after - (before[part] ?? 0)) / seconds)
      failed += load.failed + load.unanswered
      turns.add(name, { perSecond: load.perSecond, cores })
    }
  }
  const perSecond = (turn: LoadTurn) => turn.perSecond
  return {
    title: 'Concurrent queries',
    about: [
      `${connections} connections send GET ${hotQuery} repeatedly to a database with ${formatCount(stored)} clicks: through nginx, which caches a
response for the second in which the api declares it fresh, and directly to the api, which answers those together that arrive while it answers one.
Different: each of ${formatCount(differentQueries)} queries has a range of its own, so that each is answered from the database.`,
    ],
    tables: [
      tableOfTurns<LoadTurn>(
        'responses',
        [
          { name: 'rate', unit: 'responses/s', figure: perSecond },
          ...parts.map((part, index) => ({ name: part, unit: 'cores', figure: ({ cores }: LoadTurn) => cores[index] })),
        ],
        ways.map(({ name }) => ({ name, turns: turns.of(name) })),
      ),
    ],
    verdicts: [
      { target: 'microCache', samples: turns.ratios(ways[0].name, ways[2].name, perSecond) },
      { target: 'countsPerSecond', samples: turns.figures(ways[2].name, perSecond) },
    ],
    voided: failed > 0 ? [`${failed} queries were not answered with 200`] : [],
  }
}

async function ensureClicks(system: BenchSystem, signal: AbortSignal): Promise<void> {
  await system.setProcessors(1)
  await system.untilCounted()
  if ((await system.counted()).stored >= minStored) return
  await fillClicks(messagesOf(makeClicks(lastHour(2 * minStored, 10))), { amqpUrl: system.amqpUrl, signal })
  await system.untilCounted()
}

const yearQueries: Readonly<Record<string, string>> = {
  'most clicked target': '/v1/counts?target=/',
  'all targets': '/v1/counts?',
  'most clicked target by day': '/v1/counts/series?interval=day&target=/',
  'all targets by day': '/v1/counts/series?interval=day',
}

/** Milliseconds of a query to both databases in one round, sorted. */
type Times = Readonly<Record<'few' | 'many', number[]>>

async function measureYearCount(stage: Stage): Promise<Section> {
  const history = await longHistoryOf(stage)
  const system = await stage.system()
  const apis: RunningProgram[] = []
  const startApi = async (name: string, databaseUrl: string) => {
    const api = await startService({ service: 'api', name, system, databaseUrl, stage })
    apis.push(api)
    return api.url
  }
  const turns = new Turns<Times>()
  let [sent, failed] = [0, 0]
  try {
    const [few, many] = await allOrFirstError([
      startApi('api-few', history.small.urlFor('api')),
      startApi('api-many', history.large.urlFor('api')),
    ])
    const urls = { few, many }
    const toMs = Math.floor(Date.now() / minuteMs) * minuteMs
    const timeOf = async (url: string) => {
      const startedAtMs = performance.now()
      const headers = { authorization: `Bearer ${system.ownerKey}` }
      const response = await fetch(url, { headers, signal: stage.signal })
      await response.arrayBuffer()
      if (response.status !== 200) failed += 1
      return performance.now() - startedAtMs
    }
    const playRound = async (repetitions: number) => {
      const endMs = performance.now() + roundWithinMs
      const round = new Map<string, Times>(Object.keys(yearQueries).map((name) => [name, { few: [], many: [] }]))
      for (let time = 0; time < repetitions && performance.now() < endMs; time += 1) {
        for (const [name, path] of Object.entries(yearQueries)) {
          // Each query starts at a different minute, so that nothing is cached.
          sent += 1
          const from = new Date(toMs - yearMs + (sent % 1_000) * minuteMs).toISOString()
          const query = `${path}&from=${from}&to=${new Date(toMs).toISOString()}`
          for (const size of time % 2 === 0 ? (['few', 'many'] as const) : (['many', 'few'] as const))
            round.get(name)?.[size].push(await timeOf(urls[size] + query))
        }
      }
      for (const { few, many } of round.values()) for (const times of [few, many]) times.sort((a, b) => a - b)
      return round
    }
    await playRound(3)
    for (let round = 0; round < stage.rounds; round += 1) {
      stage.progress('querying counts over a year', 0.9 + (0.1 * round) / stage.rounds)
      for (const [name, times] of await playRound(stage.short ? 20 : 60)) turns.add(name, times)
    }
  } finally {
    await Promise.all(apis.map(({ program }) => program.stop()))
  }
  const columns = (['few', 'many'] as const).flatMap((size) =>
    [0.5, 0.99].map((share) => ({
      name: `${size}, p${share * 100}`,
      unit: 'ms',
      figure: (times: Times) => percentile(times[size], share),
    })),
  )
  const ratio = ({ few, many }: Times) => percentile(many, 0.5) / percentile(few, 0.5)
  const { largeClicks, smallClicks, evenClicks, denseClicks, denseDays, clicksPerSecond } = history
  const [first = ''] = Object.keys(yearQueries)
  return {
    title: 'Counts over a year',
    about: [
      `Two databases on one server, with one api each. Few: ${formatCount(smallClicks)} clicks, spread evenly over the last year. Many:
${formatCount(largeClicks)} clicks, of which ${formatCount(evenClicks)} are spread evenly over the same year and ${formatCount(denseClicks)} over its last
${denseDays} days. All of them came through the queue and two processors, like imported old clicks (${formatCount(Math.round(clicksPerSecond))} clicks/s
generated, sent, counted and folded on this machine).`,
      `Each query covers the year up to now. It is sent to both databases in turn, directly to the api, one at a time and starting at a different
minute each time, so that nothing is cached.`,
    ],
    tables: [
      tableOfTurns<Times>(
        'query',
        [...columns, { name: 'many relative to few, p50', unit: '×', figure: ratio }],
        Object.keys(yearQueries).map((name) => ({ name, turns: turns.of(name) })),
      ),
    ],
    verdicts: [{ target: 'yearCount', samples: turns.figures(first, ratio) }],
    voided: [...history.voided, ...(failed > 0 ? [`${failed} queries were not answered with 200`] : [])],
  }
}
