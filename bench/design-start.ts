import { explain, Problem } from '@clicktally/local/problem.ts'
import type { Design } from './design.ts'

/** Designs that run beside each other; idle ones cost nothing. */
export interface StartedDesigns {
  readonly designs: readonly Design[]
  /** Why some could not be had, a sentence each. */
  readonly missing: readonly string[]
  stop(): Promise<void>
}

/** Starts them one after the other. What this machine does not have, as a Redis, is left out; else all are stopped again. */
export async function startDesigns(starts: readonly (() => Design | Promise<Design>)[]): Promise<StartedDesigns> {
  const designs: Design[] = []
  const missing: string[] = []
  const stop = async () => {
    for (const design of designs.toReversed()) await design.stop()
  }
  try {
    for (const start of starts) {
      try {
        designs.push(await start())
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        missing.push(explain(error).split('\n', 1)[0] ?? '')
      }
    }
    return { designs, missing, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
