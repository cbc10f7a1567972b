import { explain, Problem } from '@clicktally/local/problem.ts'
import type { Design } from './design.ts'

/** Designs that run beside each other; idle ones cost nothing. */
export interface StartedDesigns {
  readonly designs: readonly Design[]
  /** Why some could not be had, a sentence each. */
  readonly missing: readonly string[]
  stop(): Promise<void>
}

/** Starts them, all at once. What this machine does not have, as a Redis, is left out; else all are stopped again. */
export async function startDesigns(starts: readonly (() => Design | Promise<Design>)[]): Promise<StartedDesigns> {
  const begun = await Promise.allSettled(starts.map(async (start) => await start()))
  const designs = begun.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
  const reasons = begun.flatMap((each): unknown[] => (each.status === 'rejected' ? [each.reason] : []))
  const stop = async () => {
    for (const design of designs.toReversed()) await design.stop()
  }
  const failure = reasons.find((reason) => !(reason instanceof Problem))
  if (failure !== undefined) {
    await stop()
    throw failure
  }
  return { designs, missing: reasons.map((reason) => explain(reason).split('\n', 1)[0] ?? ''), stop }
}
