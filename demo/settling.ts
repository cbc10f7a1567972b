import { setTimeout as sleep } from 'node:timers/promises'
import type { CountsReader, Totals } from '@clicktally/client/counts-reader.ts'
import type { TargetCounts } from '@clicktally/client/target-counts.ts'
import { type Comparison, compareCounts } from './comparison.ts'

const pollEveryMs = 400
/** nginx and the api may give the same answer for a second, and nginx an old one while a new one is made. */
const rereadEveryMs = 1_200

/** What the api had counted before this run: its own clicks are what came since. */
export interface Baseline {
  totals: Totals
  targets: TargetCounts
}

/** A comparison, and whether the api had then counted all that was accepted up to the moment asked for. */
export interface SettledComparison {
  comparison: Comparison
  isCurrent: boolean
}

/**
 * Waits until the api shows so many clicks more than before, or has not moved for `patienceMs`.
 *
 * @returns the clicks more
 */
export async function waitForClicks(
  reader: CountsReader,
  before: Totals,
  clicks: number,
  patienceMs: number,
  signal: AbortSignal,
  onProgress: (counted: number) => void,
): Promise<number> {
  let counted = -1
  let movedAtMs = performance.now()
  for (;;) {
    const now = await reader.totals()
    const countedNow = now.people + now.bots - before.people - before.bots
    if (countedNow !== counted) movedAtMs = performance.now()
    counted = countedNow
    onProgress(counted)
    if (counted >= clicks || performance.now() - movedAtMs > patienceMs) return counted
    await sleep(pollEveryMs, undefined, { signal })
  }
}

/**
 * What the api has counted up to a moment, which it must have reached (waitForMoment). It is read again where an
 * answer comes out of a cache and is older.
 *
 * @returns undefined where it is older until `patienceMs` are over
 */
export async function readBaseline(
  reader: CountsReader,
  momentMs: number,
  patienceMs: number,
  signal: AbortSignal,
): Promise<Baseline | undefined> {
  const deadlineMs = performance.now() + patienceMs
  for (;;) {
    const totals = await reader.totals()
    const { counts, asOfMs } = await reader.targets()
    if (Math.min(totals.asOfMs, asOfMs) >= momentMs) return { totals, targets: counts }
    if (performance.now() > deadlineMs) return undefined
    await sleep(rereadEveryMs, undefined, { signal })
  }
}

/**
 * Compares what was counted since the baseline. Where that differs, or is older than the moment, it reads again until
 * `patienceMs` are over.
 */
export async function compareSince(
  reader: CountsReader,
  before: Baseline,
  expected: TargetCounts,
  momentMs: number,
  patienceMs: number,
  signal: AbortSignal,
): Promise<SettledComparison> {
  const deadlineMs = performance.now() + patienceMs
  for (;;) {
    const totals = await reader.totals()
    const { counts, asOfMs } = await reader.targets()
    const countedTotals = {
      people: totals.people - before.totals.people,
      bots: totals.bots - before.totals.bots,
    }
    const comparison = compareCounts(counts.since(before.targets), countedTotals, expected)
    const isCurrent = Math.min(totals.asOfMs, asOfMs) >= momentMs
    if ((comparison.equal && isCurrent) || performance.now() > deadlineMs) return { comparison, isCurrent }
    await sleep(rereadEveryMs, undefined, { signal })
  }
}
