/** How wide the buckets are that counters are kept in, the widest first. All are in UTC. */
export const bucketWidths = ['month', 'day', 'hour', 'minute'] as const
export type BucketWidth = (typeof bucketWidths)[number]

const widthMs = { day: 86_400_000, hour: 3_600_000, minute: 60_000 }

/** The start of the bucket that a time is in. Milliseconds since 1970; what is infinite stays so. */
export function floorToBucket(timeMs: number, width: BucketWidth): number {
  if (!Number.isFinite(timeMs)) return timeMs
  if (width !== 'month') return Math.floor(timeMs / widthMs[width]) * widthMs[width]
  const date = new Date(floorToBucket(timeMs, 'day'))
  return date.setUTCDate(1)
}

/** The first start of a bucket that is not before a time. Milliseconds since 1970; what is infinite stays so. */
export function ceilToBucket(timeMs: number, width: BucketWidth): number {
  const floorMs = floorToBucket(timeMs, width)
  if (floorMs === timeMs) return timeMs
  if (width !== 'month') return floorMs + widthMs[width]
  const date = new Date(floorMs)
  return date.setUTCMonth(date.getUTCMonth() + 1)
}
