import { allOrFirstError } from '@clicktally/local/launch-levels.ts'
import { type LongHistory, longHistoryOf, yearMs } from '../long-history.ts'
import type { FigureRow, Measurement, Section, Stage } from '../measurement.ts'
import { type OwnService, startOwnService } from '../own-service.ts'
import { pairedRatios, percentile } from '../samples.ts'

const minuteMs = 60_000
const target = '/'
/** A question that takes seconds is not asked as often: a round of all questions ends by then. */
const roundWithinMs = 12_000

interface Question {
  readonly name: string
  path(from: string, to: string): string
}

const questions: readonly Question[] = [
  { name: 'the most clicked target', path: (from, to) => `/v1/counts?target=${target}&from=${from}&to=${to}` },
  { name: 'all targets together', path: (from, to) => `/v1/counts?from=${from}&to=${to}` },
  {
    name: 'the most clicked target, by day',
    path: (from, to) => `/v1/counts/series?interval=day&target=${target}&from=${from}&to=${to}`,
  },
  { name: 'all targets, by day', path: (from, to) => `/v1/counts/series?interval=day&from=${from}&to=${to}` },
]

type Size = 'small' | 'large'

/** Milliseconds, of one question to one database in one round, sorted. */
type Times = Record<Size, number[]>

/** The same question to a database with few clicks and to one with many. */
export const yearCount: Measurement = {
  name: 'year-count',
  title: 'counts over a year, by how much is stored',
  run: measureYearCount,
}

async function measureYearCount(stage: Stage): Promise<Section> {
  const history = await longHistoryOf(stage)
  const system = await stage.system()
  const apis: OwnService[] = []
  const startApi = async (size: Size) => {
    const databaseUrl = history[size].urlFor('api')
    const api = await startOwnService({ kind: 'api', name: `${size}-api`, system, databaseUrl, stage })
    apis.push(api)
    return api
  }
  try {
    const [small, large] = await allOrFirstError([startApi('small'), startApi('large')])
    const asking = new Asking({ small: small.url, large: large.url }, stage.signal)
    await asking.round(3)
    const rounds: Map<Question, Times>[] = []
    for (let round = 0; round < stage.rounds; round += 1) {
      stage.progress('counts over a year are asked for', 0.9 + (0.1 * round) / stage.rounds)
      rounds.push(await asking.round(stage.short ? 20 : 60))
    }
    return sectionOf(history, rounds, asking.failed)
  } finally {
    await Promise.all(apis.map((api) => api.stop()))
  }
}

/** Asks each question of both, in turn; never the same twice. */
class Asking {
  /** Answers other than 200. */
  failed = 0
  readonly #urls: Record<Size, string>
  readonly #signal: AbortSignal
  readonly #toMs = Math.floor(Date.now() / minuteMs) * minuteMs
  #asked = 0

  constructor(urls: Record<Size, string>, signal: AbortSignal) {
    this.#urls = urls
    this.#signal = signal
  }

  async round(times: number): Promise<Map<Question, Times>> {
    const endMs = performance.now() + roundWithinMs
    const found = new Map<Question, Times>(questions.map((question) => [question, { small: [], large: [] }]))
    for (let time = 0; time < times && performance.now() < endMs; time += 1) {
      for (const question of questions) {
        // From another minute each time, within the year.
        this.#asked += 1
        const from = new Date(this.#toMs - yearMs + (this.#asked % 1_000) * minuteMs).toISOString()
        const path = question.path(from, new Date(this.#toMs).toISOString())
        for (const size of time % 2 === 0 ? (['small', 'large'] as const) : (['large', 'small'] as const))
          found.get(question)?.[size].push(await this.#ask(this.#urls[size] + path))
      }
    }
    for (const { small, large } of found.values()) for (const times of [small, large]) times.sort((a, b) => a - b)
    return found
  }

  async #ask(url: string): Promise<number> {
    const startedAtMs = performance.now()
    const answer = await fetch(url, { signal: this.#signal })
    await answer.arrayBuffer()
    if (answer.status !== 200) this.failed += 1
    return performance.now() - startedAtMs
  }
}

function sectionOf(history: LongHistory, rounds: readonly Map<Question, Times>[], failed: number): Section {
  const { largeClicks, smallClicks, evenClicks, denseClicks, denseDays, clicksPerSecond } = history
  const figure = (value: number) => Math.round(value).toLocaleString('en-US')
  const of = (question: Question, size: Size, share: number) =>
    rounds.map((round) => percentile(round.get(question)?.[size] ?? [], share))
  const ratios = (question: Question) => pairedRatios(of(question, 'large', 0.5), of(question, 'small', 0.5))
  const rows = questions.map(
    (question): FigureRow => ({
      name: question.name,
      cells: [
        of(question, 'small', 0.5),
        of(question, 'small', 0.99),
        of(question, 'large', 0.5),
        of(question, 'large', 0.99),
        ratios(question),
      ],
    }),
  )
  const voided = [...history.voided, ...(failed > 0 ? [`${failed} questions were not answered with 200`] : [])]
  const [first] = questions
  return {
    title: 'Counts over a year',
    about: [
      `Two databases on one server, an api on each. Few: ${figure(smallClicks)} clicks, evenly over the last year. Many: ${figure(largeClicks)} clicks, ` +
        `of which ${figure(evenClicks)} are spread evenly over the same year and ${figure(denseClicks)} over its last ${denseDays} days. All came through the queue and two ` +
        `processors, as old clicks do that are imported (${figure(clicksPerSecond)} clicks/s, made, sent, counted and folded on this machine).`,
      'Each question is about the year up to now. It is asked of both in turn, straight at the api, one at a time and from ' +
        'another minute each time, so that nothing has its answer ready.',
    ],
    tables: [
      {
        of: 'what is asked for',
        columns: [
          { name: 'few, p50', unit: 'ms' },
          { name: 'few, p99', unit: 'ms' },
          { name: 'many, p50', unit: 'ms' },
          { name: 'many, p99', unit: 'ms' },
          { name: 'many against few, p50', unit: '×' },
        ],
        rows,
      },
    ],
    verdicts: [{ target: 'yearCount', samples: first === undefined ? [] : ratios(first) }],
    voided,
  }
}
