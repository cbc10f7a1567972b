import { parseRfc3339 } from '@clicktally/event/rfc3339.ts'
import { InvalidArgumentError } from 'commander'

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Accepted formats, for the help. */
export const momentForms = '2026-05-17T10:05:03Z, 2026-05-17 (UTC), or 90s, 30m, 2h, 7d ago'

export const endForms = '2030-05-17T10:05:03Z, 2030-05-17 (UTC), or 2h, 90d from now'

/** Parses a time in one of {@link momentForms}; returns milliseconds since 1970. */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const agoMs = parseDuration(text)
  return agoMs === undefined ? parseTime(text) : nowMs - agoMs
}

/** Parses the value of a Commander option for the end of something: a time, or how long from now. */
export function endOption(text: string): Date {
  const inMs = parseDuration(text)
  const end = inMs === undefined ? parseTime(text) : Date.now() + inMs
  if (end === undefined) throw new InvalidArgumentError(`Expected a time such as ${endForms}.`)
  return new Date(end)
}

/** Parses the value of a Commander option, such as 90s, 30m, 2h or 7d; returns milliseconds. */
export function durationOption(text: string): number {
  const duration = parseDuration(text)
  if (duration === undefined) throw new InvalidArgumentError('Expected a duration such as 90s, 30m, 2h or 7d.')
  return duration
}

function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  return unit === undefined ? undefined : Number(count) * unitMs[unit as keyof typeof unitMs]
}

function parseTime(text: string): number | undefined {
  return parseRfc3339(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)
}

/** Parses the value of a Commander option. */
export function momentOption(text: string): Date {
  const moment = parseMoment(text, Date.now())
  if (moment === undefined) throw new InvalidArgumentError(`Expected a time such as ${momentForms}.`)
  return new Date(moment)
}

/** `2026-05-17 10:05:03Z` */
export function formatMoment(date: Date): string {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')
}
