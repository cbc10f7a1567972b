import { hash } from 'node:crypto'

// Keeps these ids apart from those of any other program that hashes the same lines.
const salt = 'clicktally-demo-1'

/**
 * A UUIDv7 (RFC 9562) whose time is the click's and whose 74 random bits are a hash: the same run, position and content
 * give the same id, so a click can be sent again and still be counted once; another run gives another id.
 *
 * @param timeMs the click's time, whole milliseconds since 1970, below 2^48
 * @param runEndMs the moment at which this run's clicks end: tells runs apart
 * @param position the click's line number, which tells equal lines apart
 */
export function clickId(timeMs: number, runEndMs: number, position: number, content: string): string {
  const time = timeMs.toString(16).padStart(12, '0')
  const bits = hash('sha256', `${salt}\n${runEndMs}\n${position}\n${content}`, 'hex')
  // The variant's two bits are `10`, so the digit that holds them is 8, 9, a or b.
  const variantDigit = (8 + (Number.parseInt(bits.charAt(3), 16) & 3)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${bits.slice(0, 3)}-${variantDigit}${bits.slice(4, 7)}-${bits.slice(7, 19)}`
}
