/** A UUIDv7 (RFC 9562, section 5.7) with this time, in milliseconds since 1970. The other 74 bits are random. */
export function uuidV7(timeMs: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  new DataView(bytes.buffer).setUint32(0, Math.floor(timeMs / 0x1_0000))
  new DataView(bytes.buffer).setUint16(4, timeMs % 0x1_0000)
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
