import { createHash, randomBytes } from 'node:crypto'

const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Whether the text is a UUID of version 7 (RFC 9562, section 5.7) in lower case. */
export function isUuidV7(text: string): boolean {
  return shape.test(text)
}

/** The time inside a UUIDv7: milliseconds since 1970. The text must be a UUIDv7. */
export function timeOfUuidV7(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** A UUIDv7 of that time (milliseconds since 1970), its other 74 bits random. */
export function randomUuidV7(timeMs: number): string {
  return uuidV7(timeMs, randomBytes(10))
}

/** A UUIDv7 of that time, its other 74 bits a hash of the seed: the same time and seed give the same id. */
export function derivedUuidV7(timeMs: number, seed: string): string {
  return uuidV7(timeMs, createHash('sha256').update(seed).digest())
}

/** The smallest UUID that a UUIDv7 of that time or later can have: the border of a partition. */
export function uuidV7Floor(timeMs: number): string {
  const time = hexTime(timeMs)
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`
}

function uuidV7(timeMs: number, entropy: Buffer): string {
  const time = hexTime(timeMs)
  const rest = entropy.toString('hex', 0, 10)
  const variant = (8 + (Number.parseInt(rest.charAt(3), 16) & 3)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-${variant}${rest.slice(4, 7)}-${rest.slice(7, 19)}`
}

function hexTime(timeMs: number): string {
  return Math.trunc(timeMs).toString(16).padStart(12, '0')
}
