import { formatCount } from '@clicktally/terminal/progress.ts'
import { ClickOracle } from '../accepting/click-oracle.ts'
import type { Measurement, Section, Stage } from '../measurement.ts'
import { tableOfTurns } from '../report/figure-table.ts'
import { percentile } from '../report/samples.ts'
import {
  highestRate,
  loadConnections,
  type RateSearch,
  type RateStep,
  searchRate,
  startLoad,
} from '../storing/sustained-rate.ts'
import { probeVisibility } from '../storing/visibility-probe.ts'
import type { SystemPart } from '../system/bench-system.ts'

const parts = ['nginx', 'ingest', 'rabbitmq', 'processor', 'postgres', 'api'] as const satisfies SystemPart[]
const probesPerSecond = 5
const maxRounds = 3

/** Ways to send, with the rate in requests/s at which the search starts. */
const ways = [
  { name: 'single clicks', clicksPerRequest: 1, startAt: 4_000 },
  { name: '20 clicks per request', clicksPerRequest: 20, startAt: 800 },
]

/** A round at half the highest rate. */
interface Round {
  /** The highest rate. */
  readonly clicksPerSecond: number
  readonly latenciesMs: readonly number[]
  readonly cores: readonly number[]
}

interface Result {
  readonly way: (typeof ways)[number]
  readonly steps: readonly RateStep[]
  readonly rounds: readonly Round[]
}

/** From sending a click to the first response of the API that counts it. */
export const endToEnd: Measurement = { name: 'end-to-end', title: 'end to end through nginx', run: measureEndToEnd }

async function measureEndToEnd(stage: Stage): Promise<Section> {
  const { short, signal } = stage
  const system = await stage.system()
  const oracle = await ClickOracle.start(system)
  await system.setProcessors(1)
  const results: Result[] = []
  for (const [index, way] of ways.entries()) {
    const { name, clicksPerRequest, startAt } = way
    const progress = (what: string, share: number) => stage.progress(`${name}: ${what}`, (index + share) / ways.length)
    const sending = { system, signal, clicksPerRequest }
    const steps = await searchRate({
      ...{ ...sending, startAt, stepMs: short ? 1_500 : 4_000, bisections: short ? 2 : 3 },
      onStep: (requests) => progress(`trying ${formatCount(requests * clicksPerRequest)} clicks/s`, 0.2),
    })
    for (const { load } of steps) oracle.add(load.acceptedClicks, load.sentClicks)
    const half = Math.round(highestRate(steps) / 2)
    const rounds: Round[] = []
    const count = half === 0 ? 0 : short ? 1 : Math.min(maxRounds, stage.rounds)
    for (let done = 0; done < count; done += 1) {
      progress('sending and reading', 0.4 + (0.6 * done) / count)
      await system.untilCounted()
      const round = await playRound(sending, half, short ? 6_000 : 10_000, oracle)
      rounds.push({ clicksPerSecond: highestRate(steps) * clicksPerRequest, ...round })
    }
    results.push({ way, steps, rounds })
  }
  return sectionOf(results, await oracle.check())
}

async function playRound(
  sending: Pick<RateSearch, 'system' | 'signal' | 'clicksPerRequest'>,
  requestsPerSecond: number,
  durationMs: number,
  oracle: ClickOracle,
): Promise<Omit<Round, 'clicksPerSecond'>> {
  const { system, signal } = sending
  const before = system.cpuOf(parts)
  const startedAtMs = performance.now()
  const load = startLoad(sending, requestsPerSecond, durationMs)
  // A failure is reported by the `await` below.
  load.catch(() => {})
  const latenciesMs = await probeVisibility(system.baseUrl, system.ownerKey, probesPerSecond, durationMs, signal)
  const seconds = (performance.now() - startedAtMs) / 1_000
  const cores = system.cpuOf(parts).map((after, index) => (after - (before[index] ?? 0)) / seconds)
  const { acceptedClicks, sentClicks } = await load
  oracle.add(acceptedClicks + latenciesMs.length, sentClicks + latenciesMs.length)
  return { latenciesMs: latenciesMs.toSorted((a, b) => a - b), cores }
}

function sectionOf(results: readonly Result[], wrong: string | undefined): Section {
  const p50 = ({ latenciesMs }: Round) => percentile(latenciesMs, 0.5)
  const p99 = ({ latenciesMs }: Round) => percentile(latenciesMs, 0.99)
  const table = tableOfTurns<Round>(
    'sent as',
    [
      { name: 'highest rate', unit: 'clicks/s', figure: ({ clicksPerSecond }) => clicksPerSecond },
      { name: 'at half of it: visible after, p50', unit: 'ms', figure: p50 },
      { name: 'p99', unit: 'ms', figure: p99 },
      ...parts.map((part, index) => ({ name: part, unit: 'cores', figure: ({ cores }: Round) => cores[index] })),
    ],
    results.map(({ way: { name }, rounds }) => ({ name, turns: rounds, voided: wrong })),
  )
  const single = results[0]?.rounds ?? []
  return {
    title: 'End to end',
    about: [
      `A separate process sends clicks through nginx at a constant rate over ${loadConnections} connections, to a system with one ingest and one
processor. The first step is to find the highest sustained rate: the rate is doubled until it is too high, then bisected, with a second attempt
for each rate that fails. A rate is sustained if every response is 202, the p99 latency stays below 0.5 s, and at the end no more clicks wait to
be counted than are sent in half a second.`,
      `Then, at half of that rate, ${probesPerSecond} more clicks per second are sent, each with its own target. GET /v1/counts for that target is
polled every 5 ms through nginx, each time with a different \`from\`, so that no cache responds. The time counts from the scheduled time of the click
to the end of the first response that includes it. The other columns show the CPU used at that rate.`,
      ...results.map(limitOf),
    ],
    tables: [table],
    verdicts: [
      { target: 'endToEndP50', samples: single.map(p50) },
      { target: 'endToEndP99', samples: single.map(p99) },
    ],
    voided: wrong === undefined ? [] : [wrong],
  }
}

/** States how the search ended. */
function limitOf({ way, steps }: Result): string {
  const clicks = (requests: number) => formatCount(requests * way.clicksPerRequest)
  const highest = highestRate(steps)
  const [lowest] = steps
    .filter(({ problem, requestsPerSecond }) => problem !== undefined && requestsPerSecond > highest)
    .sort((a, b) => a.requestsPerSecond - b.requestsPerSecond)
  const above =
    lowest === undefined ? 'no rate was too high' : `at ${clicks(lowest.requestsPerSecond)} ${lowest.problem}`
  return `${way.name}: ${clicks(highest)} clicks/s were sustained; ${above}. The load generator shares the cores with everything else.`
}
