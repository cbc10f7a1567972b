import { setTimeout as sleep } from 'node:timers/promises'
import type { CountsReader, Totals } from '@clicktally/requests/counts-reader.ts'
import type { TargetCounts } from '@clicktally/requests/target-counts.ts'
import { type Comparison, compareCounts } from './comparison.ts'

const pollEveryMs = 400
/** nginx caches a response for a second, and serves a stale one while it fetches a fresh one. */
const rereadEveryMs = 1_200

/** The counts before this run. */
export interface Baseline {
  totals: Totals
  targets: TargetCounts
}

/** A comparison, and whether its counts include every click accepted up to the requested moment. */
export interface SettledComparison {
  comparison: Comparison
  isCurrent: boolean
}

/**
 * Waits until the API's total has grown by this many clicks, or has not changed for `patienceMs`.
 *
 * @returns by how many clicks it has grown
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
 * Reads the counts as of a moment that the API has already reached (waitForMoment). Retries while a cache serves older ones.
 *
 * @returns undefined if the counts are still older after `patienceMs`
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

/** Compares the clicks counted since the baseline. Retries for `patienceMs` while they differ or are older than the moment. */
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
