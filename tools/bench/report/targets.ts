import { figureText, median, samplesText } from './samples.ts'

/** A goal of the project: usually a ratio of two figures of the same run, on two cores shared by everything. */
export interface Target {
  readonly what: string
  readonly atLeast?: number
  readonly atMost?: number
  readonly unit: '×' | 'ms' | 'µs' | 'MB' | 'KiB' | '/s'
  /** The known reason why the target is missed; shown if it is. */
  readonly limitedBy?: string
}

const noBroker = 'relative to the same route without a broker'
const perClick = 'relative to one message and one confirm per click'
const cpu = 'CPU of ingest and broker together per accepted click'
const accepted = 'accepted clicks/s'
const atHalfRate =
  'from request to 202 at half the rate that one message and one confirm per click sustains, relative to it'
const drain = 'clicks/s stored by one processor draining a full queue'
const visible = 'from sending a click through nginx to reading it in the API, at half the highest sustained rate'

const atMost = (limit: number, what: string, unit: Target['unit'] = '×'): Target => ({ what, atMost: limit, unit })
const atLeast = (limit: number, what: string): Target => ({ what, atLeast: limit, unit: '×' })

export const targets = {
  keysCpu: atMost(1.03, `${cpu}, single clicks, 64 and 256 connections, relative to open mode without keys`),
  cpu256: atMost(1.15, `${cpu}, single clicks, 256 connections, ${noBroker}`),
  cpu64: atMost(1.35, `${cpu}, single clicks, 64 connections, ${noBroker}`),
  cpuBatches: atMost(1.4, `${cpu}, batches of 100, ${noBroker}`),
  accepting256: atLeast(1.0, `${accepted}, single clicks, 256 connections, ${noBroker}`),
  accepting64: atLeast(0.9, `${accepted}, single clicks, 64 connections, ${noBroker}`),
  acceptingPerClickConfirm: atLeast(2.0, `${accepted}, single clicks, 256 connections, ${perClick}`),
  cpuPerClickConfirm: atMost(0.4, `${cpu}, single clicks, 256 connections, ${perClick}`),
  acceptingSynchronousInsert: atLeast(
    10,
    `${accepted}, single clicks, 256 connections, relative to one insert and one upsert per click`,
  ),
  acceptingBatches: atLeast(0.85, `${accepted}, batches of 100, ${noBroker}`),
  loneClick: atMost(1.05, `p50 latency from request to 202 of a lone click on an idle system, ${perClick}`),
  latencyP50: atMost(1.0, `p50 latency ${atHalfRate}`),
  latencyP99: atMost(1.0, `p99 latency ${atHalfRate}`),
  latencyP999: atMost(1.0, `p99.9 latency ${atHalfRate}`),
  storingCopy: atLeast(0.6, `${drain}, relative to a COPY of the same rows and nothing else`),
  storingRowByRow: atLeast(30, `${drain}, relative to one insert and one upsert per click`),
  endToEndP50: atMost(150, `p50 time ${visible}`, 'ms'),
  endToEndP99: atMost(500, `p99 time ${visible}`, 'ms'),
  yearCount: atMost(
    1.2,
    'p50 latency of a count over a year with ten million clicks stored, relative to ten thousand stored',
  ),
  microCache: atLeast(
    5,
    "responses/s to identical concurrent queries through nginx's cache, relative to different ones, which the api answers",
  ),
  countsPerSecond: { atLeast: 1_000, what: 'responses/s of one api to counts, all of them different', unit: '/s' },
  breakdownOfYear: atMost(20, 'p50 latency of a breakdown without filters over a year, with ten million clicks', 'ms'),
  twoFilters: atMost(500, 'p50 latency of a breakdown with two filters over a year, with ten million clicks', 'ms'),
  packing: atMost(3, 'CPU of the processor per click for packing an hour as columns', 'µs'),
  fourProcessors: {
    ...atLeast(3.5, 'clicks/s stored by four processors with a 20 ms round trip to the database, relative to one'),
    limitedBy:
      'at that rate, four processors, PostgreSQL, RabbitMQ and the proxy that adds the latency use most of the two cores',
  },
  ingestMemory: atMost(
    200,
    'maximum resident memory of ingest at full load and while the broker stalls for two minutes',
    'MB',
  ),
  processorMemory: atMost(200, 'maximum resident memory of a processor draining a long queue', 'MB'),
  exportMemory: atMost(
    1.2,
    'maximum resident memory of the api while it exports ten million clicks, relative to the first tenth of the time',
  ),
  bytesPerClick: {
    ...atMost(
      1.3,
      "database bytes per click, including indexes and counters, relative to the size of the click's JSON",
    ),
    limitedBy:
      'every target needs a counter row for each minute with clicks, and each raw click has 44 bytes of times and keys and ' +
      'a row header of 32 bytes',
  },
  costliestBody: atMost(
    3,
    'CPU of ingest for the most expensive 1 MiB request body, relative to a valid batch of that size',
  ),
  snippetBytes: atMost(1.5, 'the script for web pages, compressed', 'KiB'),
  firstViewBytes: atMost(60, 'the first view of the dashboard with an empty cache, compressed, with headers', 'KiB'),
  largestPaint: atMost(1_000, 'largest contentful paint of the dashboard with an empty cache', 'ms'),
} as const satisfies Record<string, Target>

export type TargetName = keyof typeof targets

/** The figures of a measurement for a target. */
export interface Verdict {
  readonly target: TargetName
  /** One per round: a ratio of figures of the same round, or a figure. */
  readonly samples: readonly number[]
  /** Why the target is missed, from the figures of this run; replaces the target's `limitedBy`. */
  readonly note?: string
}

/** The result of a run for one target. */
export interface TargetResult {
  readonly name: TargetName
  readonly target: Target
  /** Empty if the target was not measured or its figures are void. */
  readonly samples: readonly number[]
  readonly state: 'met' | 'missed' | 'void' | 'not measured'
  /** Why it was missed. */
  readonly note?: string | undefined
}

/** Returns the results of all targets, in their order above. The median decides. */
export function targetResults(
  sections: readonly { readonly verdicts: readonly Verdict[]; readonly voided: readonly string[] }[],
): TargetResult[] {
  return (Object.entries(targets) as [TargetName, Target][]).map(([name, target]) => {
    const section = sections.find(({ verdicts }) => verdicts.some((verdict) => verdict.target === name))
    const verdict = section?.verdicts.find((each) => each.target === name)
    if (verdict === undefined) return { name, target, samples: [], state: 'not measured' }
    // If clicks were lost or counted twice, the figures say nothing about a system that works.
    if (section?.voided.length !== 0 || verdict.samples.length === 0)
      return { name, target, samples: [], state: 'void' }
    const { samples, note } = verdict
    const figure = median(samples)
    const isMet = figure >= (target.atLeast ?? -Infinity) && figure <= (target.atMost ?? Infinity)
    if (isMet) return { name, target, samples, state: 'met' }
    return { name, target, samples, state: 'missed', note: note ?? target.limitedBy }
  })
}

/** Formats the limit: `≥ 2.00 ×` or `≤ 150 ms` */
export function limitText({ atLeast, atMost, unit }: Target): string {
  return `${atLeast === undefined ? '≤' : '≥'} ${figureText(atLeast ?? atMost ?? Number.NaN)} ${unit}`
}

/** Formats the result as a line for the terminal. */
export function resultLine({ name, target, samples, state, note }: TargetResult): string {
  const figure = samples.length === 0 ? '' : ` ${samplesText(samples)} ${target.unit},`
  return `${state.padEnd(6)} ${name}:${figure} target ${limitText(target)}${note === undefined ? '' : ` (${note})`}`
}
