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
 * The range before this one. Between dates it has as many days, however long they are. Before a range that goes on, it ends where
 * that one would have been by now, so that a morning is compared with a morning.
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
    return { from: addDays(from, -days), to: to === undefined ? new Date(nowMs - days * unitMs.d).toISOString() : from }
  }
  const widthMs = (to === undefined ? nowMs : Date.parse(to)) - Date.parse(from)
  return { from: new Date(Date.parse(from) - widthMs).toISOString(), to: from }
}

/** The date that calendars in this time zone show. */
function dateIn(timeZone: string, timeMs: number): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(timeMs)
}

function addDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * unitMs.d).toISOString().slice(0, 10)
}
