import { familyOf } from '@clicktally/processes/process-family.ts'

/** Linux tells times in hundredths of a second, whatever the kernel's own clock is. */
const ticksPerSecond = 100

/**
 * CPU seconds, user and system, that these processes and all that they have started have taken so far. Whoever ended
 * meanwhile is still in it, as long as its parent is. NaN where the system does not tell.
 */
export function cpuSeconds(pids: readonly number[]): number {
  const family = familyOf(pids)
  if (family.length === 0) return Number.NaN
  return family.reduce((sum, { ticks }) => sum + ticks, 0) / ticksPerSecond
}
