import type { Interval } from '@clicktally/operations/read-operations.ts'
import type { TimeZone } from './time-zone.ts'

interface Range {
  readonly fromMs: number
  readonly toMs: number
}

const hourMs = 3_600_000
const dayMs = 86_400_000
const monthsOf: Partial<Record<Interval, number>> = { month: 1, quarter: 3, year: 12 }

/**
 * The range with which a range is compared: it is of the same calendar length and ends where the range begins, or before.
 *
 * - Whole months, if both ends are the start of a month: as many months earlier.
 * - Else, if the range begins at midnight: as many days earlier as it touches, until the same local time. Today until 10:00 is
 *   compared with yesterday until 10:00, though one of them may have an hour more.
 * - Else, if it begins with an hour: the same with hours. Else: the same time directly before.
 *
 * @param interval of a series: if its range ends within a bucket, it is compared with as many whole buckets before
 */
export function previousRange(range: Range, zone: TimeZone, interval?: Interval): Range {
  const { fromMs, toMs } = range
  const from = localTime(fromMs, zone)
  const to = localTime(toMs, zone)
  const shiftedBy = (months: number, days: number): Range => ({
    fromMs: zone.instantOf(moved(from, months, days)),
    // A month may be shorter, and a day may begin later.
    toMs: Math.min(zone.instantOf(moved(to, months, days)), fromMs),
  })
  const months = (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth()
  const wholeMonths = interval && monthsOf[interval]
  if (isMonthStart(from) && (isMonthStart(to) || wholeMonths !== undefined)) {
    return shiftedBy(ceilTo(isMonthStart(to) ? months : months + 1, wholeMonths ?? 1), 0)
  }
  if (isMidnight(from)) {
    const days = Math.ceil((to.getTime() - from.getTime()) / dayMs)
    return shiftedBy(0, interval === 'week' ? ceilTo(days, 7) : days)
  }
  const lengthMs = from.getTime() % hourMs === 0 ? ceilTo(toMs - fromMs, hourMs) : toMs - fromMs
  return { fromMs: fromMs - lengthMs, toMs: toMs - lengthMs }
}

function ceilTo(value: number, step: number): number {
  return Math.ceil(value / step) * step
}

/** The local time, as a date whose UTC fields are those of the local clock. Midnight if the day begins, though clocks skip midnight. */
function localTime(instantMs: number, zone: TimeZone): Date {
  const localMs = instantMs + zone.offsetAt(instantMs)
  const midnightMs = Math.floor(localMs / dayMs) * dayMs
  return new Date(zone.instantOf(midnightMs) === instantMs ? midnightMs : localMs)
}

/** Some months and days earlier; the last day of the month if that has fewer days. */
function moved(local: Date, months: number, days: number): number {
  const at = new Date(local)
  at.setUTCDate(1)
  at.setUTCMonth(at.getUTCMonth() - months)
  const daysInMonth = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 0)).getUTCDate()
  return at.setUTCDate(Math.min(local.getUTCDate(), daysInMonth) - days)
}

function isMidnight(local: Date): boolean {
  return local.getTime() % dayMs === 0
}

function isMonthStart(local: Date): boolean {
  return isMidnight(local) && local.getUTCDate() === 1
}
