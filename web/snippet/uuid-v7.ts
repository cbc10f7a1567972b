/** A UUIDv7 with this time (milliseconds since 1970). Smaller than packages/event/uuid-v7.ts: 72 of its bits are random. */
export function uuidV7(timeMs: number): string {
  // Eleven digits until the year 2527.
  const time = `0${timeMs.toString(16)}`
  return `${time.slice(0, 8)}-${time.slice(8)}-7xxx-8xxx-xxxxxxxxxxxx`.replace(/x/g, () =>
    ((crypto.getRandomValues(new Uint8Array(1))[0] as number) & 15).toString(16),
  )
}
