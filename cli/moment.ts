import { parseRfc3339 } from '@clicktally/contract/rfc3339.ts'
import { InvalidArgumentError } from 'commander'

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** How a time may be given, for the help. */
export const momentForms = '2026-05-17T10:05:03Z, 2026-05-17 (UTC), or 90s, 30m, 2h, 7d ago'

/** A time as a person gives it, as one of {@link momentForms}; milliseconds since 1970. */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const ago = /^(\d{1,6})([smhd])$/.exec(text)
  if (ago !== null) return nowMs - Number(ago[1]) * unitMs[ago[2] as keyof typeof unitMs]
  return parseRfc3339(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)
}

/** For an option of commander. */
export function momentOption(text: string): Date {
  const moment = parseMoment(text, Date.now())
  if (moment === undefined) throw new InvalidArgumentError(`Give a time like ${momentForms}.`)
  return new Date(moment)
}

/** `2026-05-17 10:05:03Z` */
export function formatMoment(date: Date): string {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z')
}
