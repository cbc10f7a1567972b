const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Whether the text is a UUID of version 7 (RFC 9562, section 5.7) in lower case. */
export function isUuidV7(text: string): boolean {
  return shape.test(text)
}

/** The time inside a UUIDv7: milliseconds since 1970. The text must be a UUIDv7. */
export function timeOfUuidV7(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** A UUIDv7 with this time (milliseconds since 1970). The other 74 bits are random. */
export function randomUuidV7(timeMs: number): string {
  return formatUuidV7(timeMs, hexOf(crypto.getRandomValues(new Uint8Array(10))))
}

/**
 * A UUIDv7 with this time.
 *
 * @param entropy at least 19 hexadecimal digits in lower case; 74 of their bits are used
 */
export function formatUuidV7(timeMs: number, entropy: string): string {
  const time = Math.trunc(timeMs).toString(16).padStart(12, '0')
  const variant = (8 + (Number.parseInt(entropy.charAt(3), 16) & 3)).toString(16)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${entropy.slice(0, 3)}-${variant}${entropy.slice(4, 7)}-${entropy.slice(7, 19)}`
}

function hexOf(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}
