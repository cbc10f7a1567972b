import { ClickOracle } from '../click-oracle.ts'
import type { BenchSystem, FigureRow, Measurement, Section, Stage, SystemPart } from '../measurement.ts'
import { cpuSeconds } from '../process-cpu.ts'
import { percentile } from '../samples.ts'
import { highestRate, loadConnections, type RateStep, searchRate, startLoad } from '../sustained-rate.ts'
import { probeVisibility } from '../visibility-probe.ts'

const parts = ['nginx', 'ingest', 'rabbitmq', 'processor', 'postgres', 'api'] as const satisfies SystemPart[]
const probesPerSecond = 5
const graceMs = 30_000

/** One way of sending. */
interface Way {
  readonly name: string
  readonly clicksPerRequest: number
  /** Requests a second that the search begins with. */
  readonly startAt: number
}

const ways: readonly Way[] = [
  { name: 'one click a request', clicksPerRequest: 1, startAt: 4_000 },
  { name: '20 clicks a request', clicksPerRequest: 20, startAt: 800 },
]

/** Of one round at half the highest rate. */
interface Round {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cores: readonly number[]
}

interface Found {
  readonly way: Way
  readonly steps: readonly RateStep[]
  readonly rounds: readonly Round[]
}

/** From a click's sending to the first answer of the API that counts it. */
export const endToEnd: Measurement = {
  name: 'end-to-end',
  title: 'end to end through nginx',
  run: measureEndToEnd,
}

async function measureEndToEnd(stage: Stage): Promise<Section> {
  const system = await stage.system()
  const oracle = await ClickOracle.begin(system)
  await system.setProcessors(1)
  const found: Found[] = []
  for (const way of ways) found.push(await measureWay(stage, system, way, oracle, found.length / ways.length))
  const wrong = await oracle.ask()
  return sectionOf(found, wrong)
}

async function measureWay(
  stage: Stage,
  system: BenchSystem,
  way: Way,
  oracle: ClickOracle,
  shareBefore: number,
): Promise<Found> {
  const { short, signal } = stage
  const { clicksPerRequest } = way
  const progress = (what: string, share: number) =>
    stage.progress(`${way.name}: ${what}`, shareBefore + share / ways.length)
  const steps = await searchRate({
    ...{ system, signal, clicksPerRequest, startAt: way.startAt },
    stepMs: short ? 1_500 : 4_000,
    halvings: short ? 2 : 3,
    onStep: (requests) => progress(`${(requests * clicksPerRequest).toLocaleString('en-US')} clicks/s are tried`, 0.2),
  })
  for (const { load } of steps) oracle.add(load.acceptedClicks, load.sentClicks)
  const half = Math.round(highestRate(steps) / 2)
  const rounds: Round[] = []
  // Where not even the lowest rate holds there is nothing to halve.
  const count = half === 0 ? 0 : short ? 1 : Math.min(3, stage.rounds)
  for (let round = 0; round < count; round += 1) {
    progress('clicks are sent and looked for', 0.4 + (0.6 * round) / count)
    await system.untilCounted()
    rounds.push(await playRound({ system, signal, clicksPerRequest }, half, short ? 6_000 : 10_000, oracle))
  }
  return { way, steps, rounds }
}

async function playRound(
  sending: { system: BenchSystem; signal: AbortSignal; clicksPerRequest: number },
  requestsPerSecond: number,
  durationMs: number,
  oracle: ClickOracle,
): Promise<Round> {
  const { system, signal } = sending
  const cpuNow = () => parts.map((part) => cpuSeconds(system.processesOf(part)))
  const before = cpuNow()
  const startedAtMs = performance.now()
  const load = startLoad(sending, requestsPerSecond, durationMs)
  const { latenciesMs, clicks } = await probeVisibility(system.baseUrl, probesPerSecond, durationMs, signal)
  const seconds = (performance.now() - startedAtMs) / 1_000
  const after = cpuNow()
  const { acceptedClicks, sentClicks } = await load.result(durationMs + graceMs)
  oracle.add(acceptedClicks + clicks, sentClicks + clicks)
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  return {
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    cores: after.map((each, index) => (each - (before[index] ?? 0)) / seconds),
  }
}

function sectionOf(found: readonly Found[], wrong: string | undefined): Section {
  const [single] = found
  return {
    title: 'End to end',
    about: [
      `Clicks are sent through nginx at a constant rate, over ${loadConnections} connections and by a process of its own, to a system of one ` +
        'ingest and one processor. First the highest rate that holds is looked for: it is doubled, then halved between, each ' +
        'rate for some seconds, and once more if it breaks. A rate holds when every answer is 202, answers do not come later and later (p99 within 0.5 s), and ' +
        'when it ends no more than half a second’s clicks wait to be counted.',
      `Then at half of that rate ${probesPerSecond} more clicks a second are sent, each on a target of its own, and GET /v1/counts of it is asked ` +
        'every 5 ms, through nginx, with another `from` each time, so that no cache answers. The time runs from the moment for ' +
        'which the click was planned to the end of the first answer that counts it.',
      ...found.map(whatLimits),
    ],
    tables: [
      {
        of: 'sent as',
        columns: [
          { name: 'highest rate', unit: 'clicks/s' },
          { name: 'at half of it: seen after, p50', unit: 'ms' },
          { name: 'p99', unit: 'ms' },
          ...parts.map((part) => ({ name: `${part}, at half`, unit: 'cores' })),
        ],
        rows: found.map((each) => rowOf(each, wrong)),
      },
    ],
    verdicts: [
      { target: 'endToEndP50', samples: single?.rounds.map(({ p50Ms }) => p50Ms) ?? [] },
      { target: 'endToEndP99', samples: single?.rounds.map(({ p99Ms }) => p99Ms) ?? [] },
    ],
    voided: wrong === undefined ? [] : [wrong],
  }
}

function rowOf({ way, steps, rounds }: Found, wrong: string | undefined): FigureRow {
  return {
    name: way.name,
    cells: [
      [highestRate(steps) * way.clicksPerRequest],
      rounds.map(({ p50Ms }) => p50Ms),
      rounds.map(({ p99Ms }) => p99Ms),
      ...parts.map((_, index) => rounds.map(({ cores }) => cores[index] ?? Number.NaN)),
    ],
    ...(wrong !== undefined && { voided: wrong }),
  }
}

/** How the search ended. */
function whatLimits({ way, steps }: Found): string {
  const figure = (requests: number) => (requests * way.clicksPerRequest).toLocaleString('en-US')
  const highest = highestRate(steps)
  const broken = steps
    .filter(({ broke, requestsPerSecond }) => broke !== undefined && requestsPerSecond > highest)
    .sort((a, b) => a.requestsPerSecond - b.requestsPerSecond)
  const [lowest] = broken
  const above = lowest === undefined ? 'no rate broke' : `at ${figure(lowest.requestsPerSecond)} ${lowest.broke}`
  return `${way.name}: ${figure(highest)} clicks/s hold, ${above}. The sender and the questions share the cores with all the rest.`
}
