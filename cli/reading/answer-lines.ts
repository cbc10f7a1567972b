import type { Meta } from '@clicktally/operations/read/read-schemas.ts'
import type { Interval } from '@clicktally/operations/read-operations.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { formatMoment } from '../moment.ts'

/** `2026-11-01 to 2026-12-01 (UTC)`; without an end that is open. */
export function rangeLine({ from, to, tz }: Meta): string {
  const end = to == null ? '' : localTime(to, tz)
  if (from == null) return end === '' ? `all times (${tz})` : `until ${end} (${tz})`
  return end === '' ? `since ${localTime(from, tz)} (${tz})` : `${localTime(from, tz)} to ${end} (${tz})`
}

export function asOfLine({ asOf }: Meta): string {
  return asOf === null
    ? 'Nothing has been counted yet.'
    : `Everything is counted that was accepted before ${formatMoment(new Date(asOf))}.`
}

/** Says that clicks can no longer be read by dimension, if there are any. */
export function missingLines({ missing }: Meta): string[] {
  return missing === undefined
    ? []
    : [
        `${formatCount(missing)} clicks of this time can no longer be read by dimension: any of these numbers may lack some.`,
      ]
}

/** The local time, without a time of day that is midnight. */
function localTime(time: string, timeZone: string): string {
  const text = format(time, timeZone)
  return text.endsWith(' 00:00') ? text.slice(0, 10) : text
}

/** The beginning of a bucket as local clocks and calendars show it, as exact as the interval. */
export function bucketLabel(start: string, interval: Interval, timeZone: string): string {
  const text = format(start, timeZone)
  if (interval === 'minute' || interval === 'hour') return text
  if (interval === 'year') return text.slice(0, 4)
  return interval === 'month' || interval === 'quarter' ? text.slice(0, 7) : text.slice(0, 10)
}

/** `2026-11-21 10:05` */
function format(time: string, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }).format(new Date(time))
}
