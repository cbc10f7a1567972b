import { type FoldBacklog, longestWaitSeconds } from '@clicktally/database/fold-backlog.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'

/** Returns warnings for the operator about deltas that are not folded. */
export function foldWarnings({ waitingSeconds, setAside }: FoldBacklog): string[] {
  const warnings: string[] = []
  if (waitingSeconds > longestWaitSeconds) {
    const seconds = formatCount(Math.floor(waitingSeconds))
    warnings.push(
      `NOT FOLDED: clicks have waited up to ${seconds} s to be folded into the counters. Counts are correct but slow. See the logs of the processors.`,
    )
  }
  if (setAside > 0) {
    warnings.push(
      `SET ASIDE: ${formatCount(setAside)} ${setAside === 1 ? 'delta' : 'deltas'} could not be added to a counter. Counts are correct. See the logs of the processors for the reason.`,
    )
  }
  return warnings
}
