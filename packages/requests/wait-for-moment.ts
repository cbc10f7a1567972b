import { setTimeout as sleep } from 'node:timers/promises'
import type { CountsReader } from './counts-reader.ts'

const pollEveryMs = 400

/**
 * Waits until the api has counted everything that was accepted before a time, or its `asOf` has not advanced for `patienceMs`.
 *
 * @param momentMs by the server's clock, in milliseconds since 1970
 * @returns whether everything was counted
 */
export async function waitForMoment(
  reader: CountsReader,
  momentMs: number,
  patienceMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  let asOfMs = -1
  let movedAtMs = performance.now()
  for (;;) {
    const now = await reader.totals()
    if (now.asOfMs >= momentMs) return true
    if (now.asOfMs !== asOfMs) movedAtMs = performance.now()
    asOfMs = now.asOfMs
    if (performance.now() - movedAtMs > patienceMs) return false
    await sleep(pollEveryMs, undefined, { signal })
  }
}
