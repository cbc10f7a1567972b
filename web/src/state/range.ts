import type { Interval } from '@clicktally/operations/read-operations.ts'
import { computed } from '@preact/signals'
import { params } from './place.ts'

/** A range of time, and how to divide it. */
export interface Range {
  readonly name: string
  readonly from: Date
  /** Undefined: until now. */
  readonly to: Date | undefined
  readonly interval: Interval
  /** The range of the same length before it. */
  readonly previous: { readonly from: Date; readonly to: Date }
}

interface Preset {
  readonly label: string
  readonly title: string
  readonly interval: Interval
  start(now: Date): Date
  /** The same moment, one range earlier. */
  before(moment: Date): Date
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Local midnight, some days away. Works across changes of the clock. */
const midnight = (now: Date, days: number) => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days)
const daysBefore = (moment: Date, days: number) => {
  const earlier = new Date(moment)
  earlier.setDate(earlier.getDate() - days)
  return earlier
}
const msBefore = (moment: Date, ms: number) => new Date(moment.getTime() - ms)

/** The ranges to choose from. Each ends now. */
export const presets = {
  '60m': {
    label: '60 min',
    title: 'Last 60 minutes',
    interval: 'minute',
    start: (now) => msBefore(floor(now, minuteMs), 59 * minuteMs),
    before: (moment) => msBefore(moment, hourMs),
  },
  '24h': {
    label: '24 h',
    title: 'Last 24 hours',
    interval: 'hour',
    start: (now) => msBefore(new Date(now.getFullYear(), now.getMonth(), now.getDate(), now.getHours()), 23 * hourMs),
    before: (moment) => msBefore(moment, dayMs),
  },
  '7d': {
    label: '7 d',
    title: 'Last 7 days',
    interval: 'hour',
    start: (now) => midnight(now, -6),
    before: (moment) => daysBefore(moment, 7),
  },
  '30d': {
    label: '30 d',
    title: 'Last 30 days',
    interval: 'day',
    start: (now) => midnight(now, -29),
    before: (moment) => daysBefore(moment, 30),
  },
  '12mo': {
    label: '12 mo',
    title: 'Last 12 months',
    interval: 'week',
    start: (now) => new Date(now.getFullYear(), now.getMonth() - 11, 1),
    before: (moment) => daysBefore(moment, 364),
  },
} as const satisfies Record<string, Preset>
export type PresetName = keyof typeof presets

const defaultPreset: PresetName = '24h'

export const presetName = computed<PresetName | undefined>(() => {
  if (customRange() !== undefined) return undefined
  const name = params.value.get('range') as PresetName
  return name in presets ? name : defaultPreset
})

/** The range that the address names, at this moment. */
export function rangeAt(now: Date): Range {
  const name = presetName.value
  if (name === undefined) return customRange() as Range
  const preset: Preset = presets[name]
  const from = preset.start(now)
  return {
    name: preset.title,
    from,
    to: undefined,
    interval: preset.interval,
    previous: { from: preset.before(from), to: ceiling(preset.before(now), minuteMs) },
  }
}

/** Today, and yesterday up to the same time of the day. */
export function todayAt(now: Date): Range {
  const from = midnight(now, 0)
  const previous = { from: midnight(now, -1), to: ceiling(daysBefore(now, 1), minuteMs) }
  return { name: 'Today', from, to: undefined, interval: 'hour', previous }
}

/** The parameters of the address for a range of one's own. */
export function customParams(from: Date, to: Date): Record<string, string | undefined> {
  const text = (moment: Date) => moment.toISOString().replace(':00.000Z', 'Z')
  return { range: undefined, from: text(floor(from, minuteMs)), to: text(ceiling(to, minuteMs)) }
}

export const presetParams = (name: PresetName): Record<string, string | undefined> => ({
  range: name === defaultPreset ? undefined : name,
  from: undefined,
  to: undefined,
})

function customRange(): Range | undefined {
  const [from, to] = ['from', 'to'].map((name) => new Date(params.value.get(name) ?? Number.NaN)) as [Date, Date]
  const spanMs = to.getTime() - from.getTime()
  if (!(spanMs > 0)) return undefined
  const previous = { from: msBefore(from, spanMs), to: from }
  return { name: 'Selected range', from, to, interval: intervalFor(spanMs), previous }
}

function intervalFor(spanMs: number): Interval {
  if (spanMs <= 4 * hourMs) return 'minute'
  if (spanMs <= 8 * dayMs) return 'hour'
  if (spanMs <= 120 * dayMs) return 'day'
  return spanMs <= 1_100 * dayMs ? 'week' : 'month'
}

function floor(moment: Date, unitMs: number): Date {
  return new Date(Math.floor(moment.getTime() / unitMs) * unitMs)
}

function ceiling(moment: Date, unitMs: number): Date {
  return new Date(Math.ceil(moment.getTime() / unitMs) * unitMs)
}
