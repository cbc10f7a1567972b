import { ChildTask } from './child-task.ts'
import { clicksAtTheirEnd } from './drain-watch.ts'
import type { BenchSystem } from './measurement.ts'
import { withClient } from './own-database.ts'
import type { PacedLoadResult, PacedLoadSettings } from './peers/paced-load.ts'

export interface RateSearch {
  readonly system: BenchSystem
  readonly signal: AbortSignal
  readonly clicksPerRequest: number
  /** The first that is tried, in requests a second. */
  readonly startAt: number
  readonly stepMs: number
  /** Halvings between the highest rate that holds and the lowest that does not. */
  readonly halvings: number
  /** Told of each step before it is made. */
  readonly onStep: (requestsPerSecond: number) => void
}

/** One rate, tried for some seconds. */
export interface RateStep {
  readonly requestsPerSecond: number
  readonly load: PacedLoadResult
  /** Clicks in the queue and at the processor, when the load ended. */
  readonly backlog: number
  /** Undefined when the rate holds. */
  readonly broke: string | undefined
}

export const loadConnections = 128
/** What a processor may hold that is at rest: it gathers for 50 ms and writes for as long again. */
const backlogSeconds = 0.5
/** So late a request may be answered, the 99th percentile, when those that wait do not become more and more. */
const answeredWithinMs = 500
const mostDoublings = 8
const graceMs = 30_000

/** The steps up to the highest rate that holds, in the order in which they were made. */
export async function searchRate(search: RateSearch): Promise<RateStep[]> {
  const steps: RateStep[] = []
  // A rate that breaks gets a second chance: the first step finds everything cold, and machines have hiccups.
  const tryRate = async (requestsPerSecond: number) => {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      search.onStep(requestsPerSecond)
      const step = await makeStep(search, requestsPerSecond)
      steps.push(step)
      if (step.broke === undefined) return true
    }
    return false
  }
  let holds = 0
  let breaks = search.startAt
  for (let doubling = 0; doubling < mostDoublings && (await tryRate(breaks)); doubling += 1) {
    holds = breaks
    breaks *= 2
  }
  for (let halving = 0; halving < search.halvings; halving += 1) {
    const middle = Math.round((holds + breaks) / 2)
    if (await tryRate(middle)) holds = middle
    else breaks = middle
  }
  return steps
}

/** The highest rate that held; 0 when none did. */
export function highestRate(steps: readonly RateStep[]): number {
  return Math.max(0, ...steps.filter(({ broke }) => broke === undefined).map((step) => step.requestsPerSecond))
}

export function startLoad(
  { system, signal, clicksPerRequest }: Pick<RateSearch, 'system' | 'signal' | 'clicksPerRequest'>,
  requestsPerSecond: number,
  durationMs: number,
): ChildTask<PacedLoadResult> {
  const settings = {
    url: system.baseUrl,
    requestsPerSecond,
    durationMs,
    clicksPerRequest,
    connections: loadConnections,
    seed: requestsPerSecond,
  } satisfies PacedLoadSettings
  return ChildTask.start('peers/paced-load.ts', settings, signal)
}

async function makeStep(search: RateSearch, requestsPerSecond: number): Promise<RateStep> {
  const { system, stepMs, clicksPerRequest } = search
  return await withClient(system.postgresUrl, async (client) => {
    await system.untilCounted()
    const before = await clicksAtTheirEnd(client)
    const load = await startLoad(search, requestsPerSecond, stepMs).result(stepMs + graceMs)
    const backlog = before + load.acceptedClicks - (await clicksAtTheirEnd(client))
    return {
      requestsPerSecond,
      load,
      backlog,
      broke: whyBroken(load, backlog, requestsPerSecond * clicksPerRequest),
    }
  })
}

/** What shows that a rate is too high, in a few words; undefined when nothing does. */
export function whyBroken(
  { answers, unsent, latencyP99Ms, latenessP99Ms }: PacedLoadResult,
  backlog: number,
  clicksPerSecond: number,
): string | undefined {
  const others = Object.keys(answers).filter((answer) => answer !== '202')
  if (others.length > 0) return `answers were ${others.join(', ')}`
  if (unsent > 0 || latencyP99Ms > answeredWithinMs)
    return latenessP99Ms > answeredWithinMs ? 'the sender could not keep up' : 'answers came later and later'
  if (backlog > clicksPerSecond * backlogSeconds) return 'the queue grew'
  return undefined
}
