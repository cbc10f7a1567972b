import { processTrees } from './process-tree.ts'

/** /proc reports CPU time in hundredths of a second, whatever the kernel's timer frequency is. */
const ticksPerSecond = 100

/**
 * CPU seconds, user and system, that these processes and their descendants have used so far. Includes descendants that have
 * ended, as long as their parents run. NaN without /proc.
 */
export function cpuSeconds(pids: readonly number[]): number {
  const processes = processTrees(pids)
  if (processes.length === 0) return Number.NaN
  return processes.reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond
}
