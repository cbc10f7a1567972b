import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { PacedLoadResult, PacedLoadSettings } from '../peers/paced-load.ts'
import type { BenchSystem } from '../system/bench-system.ts'
import { withClient } from '../system/databases.ts'
import { processedClicks } from './queue-drain.ts'

export interface RateSearch {
  readonly system: BenchSystem
  readonly signal: AbortSignal
  readonly clicksPerRequest: number
  /** First rate to try, in requests/s. */
  readonly startAt: number
  readonly stepMs: number
  /** Number of bisection steps between the highest sustained rate and the lowest one that is not. */
  readonly bisections: number
  /** Called before each step. */
  readonly onStep: (requestsPerSecond: number) => void
}

/** A rate that was tried for some seconds. */
export interface RateStep {
  readonly requestsPerSecond: number
  readonly load: PacedLoadResult
  /** Why the rate is too high; undefined if it was sustained. */
  readonly problem: string | undefined
}

export const loadConnections = 128
/** Backlog of a processor at rest, in seconds of clicks: it gathers for 50 ms and takes as long to write. */
const maxBacklogSeconds = 0.5
/** While requests do not pile up, their p99 latency is below this. */
const maxLatencyP99Ms = 500
const maxDoublings = 8
const graceMs = 30_000

/** Doubles the rate until it is too high, then bisects. Returns all steps in order. */
export async function searchRate(search: RateSearch): Promise<RateStep[]> {
  const steps: RateStep[] = []
  const isSustained = async (requestsPerSecond: number) => {
    // Two attempts: the first step runs cold code, and machines hiccup.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      search.onStep(requestsPerSecond)
      const step = await tryRate(search, requestsPerSecond)
      steps.push(step)
      if (step.problem === undefined) return true
    }
    return false
  }
  let sustained = 0
  let tooHigh = search.startAt
  for (let doubling = 0; doubling < maxDoublings && (await isSustained(tooHigh)); doubling += 1) {
    sustained = tooHigh
    tooHigh *= 2
  }
  for (let step = 0; step < search.bisections; step += 1) {
    const middle = Math.round((sustained + tooHigh) / 2)
    if (await isSustained(middle)) sustained = middle
    else tooHigh = middle
  }
  return steps
}

/** Returns the highest sustained rate; 0 if there is none. */
export function highestRate(steps: readonly RateStep[]): number {
  return Math.max(0, ...steps.filter(({ problem }) => problem === undefined).map((step) => step.requestsPerSecond))
}

/** Sends clicks at a constant rate from another process. */
export function startLoad(
  { system, signal, clicksPerRequest }: Pick<RateSearch, 'system' | 'signal' | 'clicksPerRequest'>,
  requestsPerSecond: number,
  durationMs: number,
): Promise<PacedLoadResult> {
  const settings: PacedLoadSettings = {
    ...{ url: system.baseUrl, key: system.ownerKey, requestsPerSecond, durationMs, clicksPerRequest },
    ...{ connections: loadConnections, seed: requestsPerSecond },
  }
  const child = fork(join(import.meta.dirname, '../peers/paced-load.ts'), {
    ...{ signal: AbortSignal.any([signal, AbortSignal.timeout(durationMs + graceMs)]), killSignal: 'SIGKILL' },
  })
  const result = once(child, 'message').then(([message]) => message as PacedLoadResult)
  const failure = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the load generator exited: ${code}`)))
  child.send(settings)
  return Promise.race([result, failure])
}

async function tryRate(search: RateSearch, requestsPerSecond: number): Promise<RateStep> {
  const { system, stepMs, clicksPerRequest } = search
  return await withClient(system.postgresUrl, async (client) => {
    await system.untilCounted()
    const before = await processedClicks(client)
    const load = await startLoad(search, requestsPerSecond, stepMs)
    const backlog = before + load.acceptedClicks - (await processedClicks(client))
    return { requestsPerSecond, load, problem: problemOf(load, backlog, requestsPerSecond * clicksPerRequest) }
  })
}

/** Returns why a rate is too high; undefined if it was sustained. */
export function problemOf(
  { answers, unsent, latencyP99Ms, latenessP99Ms }: PacedLoadResult,
  backlog: number,
  clicksPerSecond: number,
): string | undefined {
  const others = Object.keys(answers).filter((answer) => answer !== '202')
  if (others.length > 0) return `responses were ${others.join(', ')}`
  if (unsent > 0 || latencyP99Ms > maxLatencyP99Ms)
    return latenessP99Ms > maxLatencyP99Ms ? 'the load generator could not keep up' : 'latency kept growing'
  if (backlog > clicksPerSecond * maxBacklogSeconds) return 'the queue kept growing'
  return undefined
}
