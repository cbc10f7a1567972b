import type { Interval } from '@clicktally/operations/read-operations.ts'

const whole = new Intl.NumberFormat()
const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })
const percent = new Intl.NumberFormat(undefined, {
  style: 'percent',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
})
const change = new Intl.NumberFormat(undefined, {
  style: 'percent',
  maximumFractionDigits: 0,
  signDisplay: 'exceptZero',
})

export const formatCount = (count: number) => whole.format(count)
/** 12.3K: for axes and narrow places. */
export const formatShort = (count: number) => compact.format(count)
export const formatShare = (share: number) => percent.format(share)
/** +12%; undefined if there is nothing to compare with. */
export const formatChange = (value: number, before: number) =>
  before === 0 ? undefined : change.format(value / before - 1)

const styles: Record<Interval, Intl.DateTimeFormatOptions> = {
  minute: { hour: '2-digit', minute: '2-digit' },
  hour: { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
  day: { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
  week: { day: 'numeric', month: 'short', year: 'numeric' },
  month: { month: 'long', year: 'numeric' },
  quarter: { month: 'long', year: 'numeric' },
  year: { year: 'numeric' },
}

/** A tick of an axis: the time of the day, except at midnight; the day; or the month. */
export function formatTick(moment: Date, stepSeconds: number): string {
  const hasTime = stepSeconds < 86_400 && moment.getHours() + moment.getMinutes() > 0
  if (hasTime) return moment.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })
  if (stepSeconds < 27 * 86_400) return moment.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })
  return moment.toLocaleDateString(undefined, moment.getMonth() === 0 ? { year: 'numeric' } : { month: 'short' })
}

/** The start of a bucket, in the browser's time zone. */
export function formatBucket(start: Date, interval: Interval): string {
  const text = new Intl.DateTimeFormat(undefined, styles[interval]).format(start)
  return interval === 'week' ? `Week of ${text}` : text
}

export function formatMoment(moment: Date): string {
  return moment.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}

/** How long something takes or took: 0.2 s, 45 s, 3 min, 2 h, 5 days. */
export function formatDuration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(ms, 0) / 1_000).toFixed(1)} s`
  if (ms < 90_000) return `${Math.round(ms / 1_000)} s`
  if (ms < 90 * 60_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`
  return `${Math.round(ms / 86_400_000)} days`
}
