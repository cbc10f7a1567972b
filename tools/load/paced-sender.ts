import { setTimeout as sleep } from 'node:timers/promises'
import { SyntheticClicks } from '@clicktally/synthetic-clicks/synthetic-clicks.ts'
import { Pool } from 'undici'

export interface PacedOptions {
  /** Base URL of the server. */
  readonly url: string
  /** Sent with every request. Default: none. */
  readonly key?: string | undefined
  readonly requestsPerSecond: number
  readonly durationMs: number
  /** Default: 1. More are sent to the batch route. */
  readonly clicksPerRequest?: number
  /** Each carries one request at a time. A request without a free connection waits, which its latency includes. Default: 64. */
  readonly connections?: number
  /** Requests that may wait for a connection. Further ones are not sent but counted. Default: 20,000. */
  readonly maxWaiting?: number
  readonly seed?: number
  readonly signal: AbortSignal
}

export interface PacedResult {
  /** Of requests answered 202, from the scheduled time to the end of the response; sorted. */
  readonly latenciesMs: Float64Array
  readonly acceptedClicks: number
  /** Maximum number of clicks that may have been accepted, including those whose response failed. */
  readonly sentClicks: number
  /** Number of requests by status code, and of those without a response as `failed`. */
  readonly answers: Readonly<Record<string, number>>
  /** Requests that were not sent because too many waited. */
  readonly unsent: number
  /** How late the sender itself was, sorted; included in the latencies. */
  readonly latenessMs: Float64Array
  /** Maximum number of requests that waited for a connection. */
  readonly mostWaited: number
}

/** Below this rate, timers are too coarse: the sender spins for the last milliseconds before each request. */
const spinBelowPerSecond = 200
const spinMs = 2
const responseWithinMs = 15_000

/**
 * Sends clicks at a constant rate, whether or not responses arrive. Each request has a scheduled time, from which its latency
 * counts. Waiting for a response before the next request would leave out the very requests that a slow server delays
 * (coordinated omission).
 */
export async function sendPaced(options: PacedOptions): Promise<PacedResult> {
  const { url, key, requestsPerSecond, durationMs, signal } = options
  const { clicksPerRequest = 1, connections = 64, maxWaiting = 20_000, seed = 1 } = options
  const path = clicksPerRequest === 1 ? '/v1/events' : '/v1/events/batch'
  const headers = { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) }
  const pool = new Pool(url, { connections, headersTimeout: responseWithinMs, bodyTimeout: responseWithinMs })
  const clicks = new SyntheticClicks(seed)
  const latencies: number[] = []
  const lateness: number[] = []
  const answers: Record<string, number> = {}
  let [open, sent, accepted, unsent, mostWaited] = [0, 0, 0, 0, 0]

  const send = async (scheduledAtMs: number) => {
    const events = Array.from({ length: clicksPerRequest }, () => clicks.next(Date.now()))
    open += 1
    sent += clicksPerRequest
    const answer = await post(pool, path, headers, JSON.stringify(clicksPerRequest === 1 ? events[0] : { events }))
    open -= 1
    answers[answer] = (answers[answer] ?? 0) + 1
    if (answer !== '202') return
    latencies.push(performance.now() - scheduledAtMs)
    accepted += clicksPerRequest
  }

  try {
    const count = Math.round((requestsPerSecond * durationMs) / 1_000)
    const startMs = performance.now() + 5
    const scheduledAt = (index: number) => startMs + (index * 1_000) / requestsPerSecond
    for (let index = 0; index < count; ) {
      await untilTime(scheduledAt(index), requestsPerSecond < spinBelowPerSecond, signal)
      const nowMs = performance.now()
      // More than one if this process itself was paused.
      for (; index < count && scheduledAt(index) <= nowMs; index += 1) {
        lateness.push(nowMs - scheduledAt(index))
        if (open - connections >= maxWaiting) unsent += 1
        else void send(scheduledAt(index))
        mostWaited = Math.max(mostWaited, open - connections)
      }
    }
    const deadlineMs = performance.now() + responseWithinMs
    while (open > 0 && performance.now() < deadlineMs) await sleep(5, undefined, { signal })
  } finally {
    await pool.destroy()
  }
  return {
    latenciesMs: Float64Array.from(latencies).sort(),
    ...{ acceptedClicks: accepted, sentClicks: sent, answers, unsent, mostWaited },
    latenessMs: Float64Array.from(lateness).sort(),
  }
}

async function untilTime(timeMs: number, isExact: boolean, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const waitMs = timeMs - performance.now() - (isExact ? spinMs : 0)
  if (waitMs > 0) await sleep(waitMs, undefined, { signal })
  while (performance.now() < timeMs) await new Promise(setImmediate)
}

/** Resolves with the status code at the end of the response. */
function post(pool: Pool, path: string, headers: Record<string, string>, body: string): Promise<string> {
  return new Promise((resolve) => {
    let status = 'failed'
    pool.dispatch(
      { method: 'POST', path, body, headers },
      {
        onRequestStart: () => {},
        onResponseData: () => {},
        onResponseStart: (_, statusCode) => {
          status = String(statusCode)
        },
        onResponseEnd: () => resolve(status),
        onResponseError: () => resolve('failed'),
      },
    )
  })
}
