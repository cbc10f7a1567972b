/** The widths of the buckets of counters, widest first. Buckets are in UTC. */
export const bucketWidths = ['month', 'day', 'hour', 'minute'] as const
export type BucketWidth = (typeof bucketWidths)[number]

const widthMs = { day: 86_400_000, hour: 3_600_000, minute: 60_000 }

/** The start of the bucket that contains a time. Milliseconds since 1970; infinite times are returned unchanged. */
export function floorToBucket(timeMs: number, width: BucketWidth): number {
  if (!Number.isFinite(timeMs)) return timeMs
  if (width !== 'month') return Math.floor(timeMs / widthMs[width]) * widthMs[width]
  const date = new Date(floorToBucket(timeMs, 'day'))
  return date.setUTCDate(1)
}

/** The first start of a bucket at or after a time. Milliseconds since 1970; infinite times are returned unchanged. */
export function ceilToBucket(timeMs: number, width: BucketWidth): number {
  const floorMs = floorToBucket(timeMs, width)
  if (floorMs === timeMs) return timeMs
  if (width !== 'month') return floorMs + widthMs[width]
  const date = new Date(floorMs)
  return date.setUTCMonth(date.getUTCMonth() + 1)
}
