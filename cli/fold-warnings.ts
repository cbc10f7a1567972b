import { type FoldBacklog, longestWaitSeconds } from '@clicktally/database/fold-backlog.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'

/** What an operator has to know of deltas that are not folded, a line each; none where all is well. */
export function foldWarnings({ waitingSeconds, setAside }: FoldBacklog): string[] {
  const warnings: string[] = []
  if (waitingSeconds > longestWaitSeconds) {
    const seconds = formatCount(Math.floor(waitingSeconds))
    warnings.push(
      `NOT FOLDED: clicks have waited up to ${seconds} s to be folded into the counters. Counts are right, but slow: see the log of the processors.`,
    )
  }
  if (setAside > 0) {
    warnings.push(
      `SET ASIDE: ${formatCount(setAside)} ${setAside === 1 ? 'delta' : 'deltas'} could not be added to a counter. Counts are right: the log of the processors says why.`,
    )
  }
  return warnings
}
