import { createHash } from 'node:crypto'
import { formatUuidV7 } from '@clicktally/event/uuid-v7.ts'

/** A UUIDv7 with this time (milliseconds since 1970). The other 74 bits are a hash of the seed: the same input gives the same id. */
export function derivedUuidV7(timeMs: number, seed: string): string {
  return formatUuidV7(timeMs, createHash('sha256').update(seed).digest('hex'))
}
