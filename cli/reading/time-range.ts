import { InvalidArgumentError } from 'commander'
import { usageError } from '../cli-error.ts'

/** Half-open. Each end is a date in the time zone of the query, or an RFC 3339 time. */
export interface TimeRange {
  readonly from: string
  /** Absent: up to the last click. */
  readonly to?: string
}

/** A number of minutes, hours or days, the current one included. */
export interface Last {
  readonly count: number
  readonly unit: 'm' | 'h' | 'd'
}

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const isDate = /^\d{4}-\d{2}-\d{2}$/

/** Parses the value of a Commander option: 30m, 24h, 7d or 4w. */
export function lastOption(text: string): Last {
  const [, count, unit] = /^([1-9]\d{0,4})([mhdw])$/.exec(text) ?? []
  if (unit === undefined)
    throw new InvalidArgumentError('Expected a number of minutes, hours, days or weeks: 30m, 24h, 7d, 4w.')
  return unit === 'w' ? { count: Number(count) * 7, unit: 'd' } : { count: Number(count), unit: unit as Last['unit'] }
}

/** The range of the last minutes, hours or days. Days begin at midnight in this time zone. */
export function rangeOfLast({ count, unit }: Last, timeZone: string, nowMs: number): TimeRange {
  if (unit === 'd') return { from: addDays(dateIn(timeZone, nowMs), 1 - count) }
  return { from: new Date((Math.floor(nowMs / unitMs[unit]) - count + 1) * unitMs[unit]).toISOString() }
}

/**
 * The range before this one. Between dates it has as many days, however long they are. Before a range that goes on, it ends at the
 * same local time as it is now, so that a morning is compared with a morning, also if clocks were changed in between.
 *
 * @throws {CliError} if one end is a date and the other a time
 */
export function rangeBefore({ from, to }: TimeRange, timeZone: string, nowMs: number): Required<TimeRange> {
  if (to !== undefined && isDate.test(from) !== isDate.test(to)) {
    throw usageError('--compare: give both ends as dates, or both as times.')
  }
  if (isDate.test(from)) {
    const end = to ?? addDays(dateIn(timeZone, nowMs), 1)
    const days = (Date.parse(end) - Date.parse(from)) / unitMs.d
    return { from: addDays(from, -days), to: to === undefined ? daysBefore(days, timeZone, nowMs) : from }
  }
  const widthMs = (to === undefined ? nowMs : Date.parse(to)) - Date.parse(from)
  return { from: new Date(Date.parse(from) - widthMs).toISOString(), to: from }
}

/** The date that calendars in this time zone show. */
function dateIn(timeZone: string, timeMs: number): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(timeMs)
}

/**
 * When clocks in this time zone showed this time some days ago. As in the api it is the first instant at which they showed it or a
 * later one, also if they skipped or repeated it.
 */
function daysBefore(days: number, timeZone: string, nowMs: number): string {
  const localMs = nowMs + offsetAt(timeZone, nowMs) - days * unitMs.d
  const before = offsetAt(timeZone, localMs - unitMs.d)
  const after = offsetAt(timeZone, localMs + unitMs.d)
  const [byBefore, byAfter] = [localMs - before, localMs - after]
  if (offsetAt(timeZone, byBefore) === before) return new Date(byBefore).toISOString()
  if (offsetAt(timeZone, byAfter) === after) return new Date(byAfter).toISOString()
  // They skipped it: the change of the offset, which is at a whole second.
  let [low, high] = [byAfter, byBefore]
  while (high - low > 1_000) {
    const middle = (low + high) / 2
    if (offsetAt(timeZone, middle) === before) low = middle
    else high = middle
  }
  return new Date(Math.floor(high / 1_000) * 1_000).toISOString()
}

/** What clocks in this time zone are ahead of UTC, in milliseconds. */
function offsetAt(timeZone: string, timeMs: number): number {
  const text = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(timeMs)
  return Date.parse(`${text.replace(' ', 'T')}Z`) - Math.floor(timeMs / 1_000) * 1_000
}

function addDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * unitMs.d).toISOString().slice(0, 10)
}
