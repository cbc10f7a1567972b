import { derivedUuidV7 } from '@clicktally/contract/uuid-v7.ts'

// Keeps these ids apart from those of any other program that hashes the same lines.
const salt = 'clicktally-demo-1'

/**
 * The id of a click: its time, and a hash. The same run, position and content give the same id, so a click can be sent
 * again and still be counted once; another run gives another id.
 *
 * @param timeMs the click's time, whole milliseconds since 1970, below 2^48
 * @param runEndMs the moment at which this run's clicks end: tells runs apart
 * @param position the click's line number, which tells equal lines apart
 */
export function clickId(timeMs: number, runEndMs: number, position: number, content: string): string {
  return derivedUuidV7(timeMs, `${salt}\n${runEndMs}\n${position}\n${content}`)
}
