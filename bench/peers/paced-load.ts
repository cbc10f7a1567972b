import { type PacedResult, sendPaced } from '../paced-sender.ts'
import { percentile } from '../samples.ts'

// Load at a constant rate from a process of its own, so that the sender and what is measured beside it do not wait for each
// other. Settings and result travel as messages: see child-task.ts.

export interface PacedLoadSettings {
  readonly url: string
  readonly requestsPerSecond: number
  readonly durationMs: number
  readonly clicksPerRequest: number
  readonly connections: number
  readonly seed: number
}

export interface PacedLoadResult extends Pick<PacedResult, 'sentClicks' | 'answers' | 'unsent' | 'mostWaited'> {
  readonly acceptedClicks: number
  /** From a request's planned moment to its answer, the 99th percentile. */
  readonly latencyP99Ms: number
  /** How late the sender itself was. */
  readonly latenessP99Ms: number
}

process.once('message', async (settings: PacedLoadSettings) => {
  const { latenciesMs, acceptedIds, latenessMs, ...rest } = await sendPaced({
    ...settings,
    signal: new AbortController().signal,
  })
  process.send?.({
    ...rest,
    acceptedClicks: acceptedIds.length,
    latencyP99Ms: percentile(latenciesMs, 0.99),
    latenessP99Ms: percentile(latenessMs, 0.99),
  } satisfies PacedLoadResult)
  process.disconnect()
})
