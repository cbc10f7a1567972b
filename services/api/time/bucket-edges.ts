import type { Interval, WeekStart } from '@clicktally/operations/read-operations.ts'
import type { TimeZone } from './time-zone.ts'

const hourMs = 3_600_000
const dayMs = 86_400_000

/** The usual width of a bucket, in milliseconds. Buckets of a zone also have other widths: a day may have 23 hours. */
export const usualWidthMs = {
  minute: 60_000,
  hour: hourMs,
  day: dayMs,
  week: 7 * dayMs,
  month: 30 * dayMs,
  quarter: 91 * dayMs,
  year: 365 * dayMs,
} as const satisfies Record<Interval, number>

/**
 * The edges of the buckets that overlap a range, in milliseconds since 1970: the first is at or before `fromMs`, the last at or
 * after `toMs`, and each bucket lies between two neighbours.
 *
 * Days and wider buckets begin when local clocks first show the midnight of their first day, or skip it. Minutes and hours also
 * begin when the offset of the zone changes, so the hour that is repeated in autumn has two buckets.
 */
export function bucketEdges(
  interval: Interval,
  zone: TimeZone,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  weekStart: WeekStart = 'monday',
): number[] {
  const edges =
    interval === 'minute' || interval === 'hour'
      ? clockEdges(usualWidthMs[interval], zone, fromMs, toMs)
      : calendarEdges(interval, zone, fromMs, toMs, weekStart)
  const first = edges.findLastIndex((edge) => edge <= fromMs)
  const last = edges.findIndex((edge) => edge >= toMs)
  return edges.slice(first, last + 1)
}

/** Edges of buckets of a fixed width, from at least one bucket before the range to one after it. */
function clockEdges(widthMs: number, zone: TimeZone, fromMs: number, toMs: number): number[] {
  const edges: number[] = []
  // Enough for a whole bucket on each side, even if the offset changes there.
  const beginMs = fromMs - 3 * widthMs
  const endMs = toMs + 3 * widthMs
  for (let segmentMs: number | undefined = beginMs; segmentMs !== undefined; ) {
    const offsetMs = zone.offsetAt(segmentMs)
    const transitionMs: number | undefined = zone.nextTransition(segmentMs, endMs)
    if (segmentMs > beginMs) edges.push(segmentMs)
    let edge = Math.floor((segmentMs + offsetMs) / widthMs) * widthMs - offsetMs + widthMs
    for (; edge < (transitionMs ?? endMs); edge += widthMs) edges.push(edge)
    segmentMs = transitionMs
  }
  return edges
}

/** Edges of buckets of whole days, from at least one bucket before the range to one after it. */
function calendarEdges(
  interval: Exclude<Interval, 'minute' | 'hour'>,
  zone: TimeZone,
  fromMs: number,
  toMs: number,
  weekStart: WeekStart,
): number[] {
  const local = new Date(fromMs + zone.offsetAt(fromMs))
  const edges: number[] = []
  // A local date can begin after the instant itself, if clocks were turned back over midnight.
  for (let step = -1; (edges.at(-1) ?? -Infinity) < toMs; step += 1) {
    const edge = zone.instantOf(localStart(interval, local, step, weekStart))
    // A date that the zone skipped, as Samoa skipped 30 December 2011, has no bucket.
    if (edge !== edges.at(-1)) edges.push(edge)
  }
  return edges
}

/** The local midnight at which the bucket of a local time begins, or the one `step` buckets later. */
function localStart(interval: Interval, local: Date, step: number, weekStart: WeekStart): number {
  const [year, month, date] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()]
  switch (interval) {
    case 'year':
      return midnight(year + step, 0, 1)
    case 'quarter':
      return midnight(year, month - (month % 3) + 3 * step, 1)
    case 'month':
      return midnight(year, month + step, 1)
    case 'week':
      return midnight(year, month, date - ((local.getUTCDay() + (weekStart === 'monday' ? 6 : 0)) % 7) + 7 * step)
    default:
      return midnight(year, month, date + step)
  }
}

/** Date.UTC() takes the years 0 to 99 for those of the twentieth century. */
function midnight(year: number, month: number, date: number): number {
  return new Date(0).setUTCFullYear(year, month, date)
}
