import { derivedUuidV7 } from '@clicktally/message/derived-uuid-v7.ts'

// Prevents collisions with ids of other programs that hash the same lines.
const salt = 'clicktally-demo-1'

/**
 * Derives a click's id from its time and a hash. Within a run, equal position and content give the same id, so a click can
 * be sent again and is still counted once. Another run gives other ids.
 *
 * @param timeMs whole milliseconds since 1970, below 2^48
 * @param runEndMs the end of this run's timeline, which identifies the run
 * @param position the click's line number, which distinguishes equal lines
 */
export function clickId(timeMs: number, runEndMs: number, position: number, content: string): string {
  return derivedUuidV7(timeMs, `${salt}\n${runEndMs}\n${position}\n${content}`)
}
