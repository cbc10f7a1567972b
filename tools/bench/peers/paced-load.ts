import { type PacedOptions, type PacedResult, sendPaced } from '@clicktally/load/paced-sender.ts'
import { percentile } from '../report/samples.ts'

// Load at a constant rate from a process of its own, so that the load generator and the rest of the benchmark do not wait for
// each other. Started by startLoad(), which sends the settings and receives the result as messages.

export type PacedLoadSettings = Omit<PacedOptions, 'signal'>

export interface PacedLoadResult extends Omit<PacedResult, 'latenciesMs' | 'latenessMs'> {
  readonly latencyP99Ms: number
  readonly latenessP99Ms: number
}

process.once('message', async (settings: PacedLoadSettings) => {
  const { latenciesMs, latenessMs, ...rest } = await sendPaced({ ...settings, signal: new AbortController().signal })
  const [latencyP99Ms, latenessP99Ms] = [percentile(latenciesMs, 0.99), percentile(latenessMs, 0.99)]
  process.send?.({ ...rest, latencyP99Ms, latenessP99Ms } satisfies PacedLoadResult)
  process.disconnect()
})
