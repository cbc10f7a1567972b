import { parseRfc3339 } from '@clicktally/event/rfc3339.ts'
import { problem } from '../errors.ts'
import type { TimeZone } from '../time/time-zone.ts'

/** The counters that a query reads. Times are whole minutes in milliseconds since 1970; the range is half-open. */
export interface CountsFilter {
  readonly projectId: number
  readonly targets: readonly string[] | undefined
  /** Only targets that begin with it; not empty, and not together with `targets`. */
  readonly targetPrefix?: string | undefined
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
}

const minuteMs = 60_000
const maxTargets = 100
/** The times that an RFC 3339 text can name, and PostgreSQL reads: outside of them a year has other than four digits. */
const firstMs = Date.parse('0001-01-01T00:00:00Z')
const lastMinuteMs = Date.parse('9999-12-31T23:59:00Z')

/**
 * Parses the parameters that all counts have.
 *
 * @param zone of dates without a time
 * @throws {ServiceProblem} time_invalid, range_empty, parameter_invalid
 */
export function readCountsFilter(
  query: { target?: string; targetPrefix?: string; from?: string; to?: string },
  projectId: number,
  zone: TimeZone,
): CountsFilter {
  const { targetPrefix } = query
  const { fromMs, toMs } = readRange(query, ['from', 'to'], zone)
  const targets = query.target === undefined ? undefined : splitTargets(query.target)
  if (targets !== undefined && targets.length > maxTargets) {
    throw problem(
      'parameter_invalid',
      `"target" lists ${targets.length} targets; the limit is ${maxTargets}.`,
      'target',
    )
  }
  if (targetPrefix !== undefined && targets !== undefined)
    throw problem('parameter_invalid', 'Use either "target" or "targetPrefix".', 'targetPrefix')
  if (targetPrefix === '' || targetPrefix?.includes('\0'))
    throw problem('parameter_invalid', '"targetPrefix" must have a character, and none may be U+0000.', 'targetPrefix')
  return { projectId, targets, targetPrefix, fromMs, toMs }
}

/**
 * Parses a time range in whole minutes.
 *
 * @param names of the parameters of its two ends
 */
export function readRange<Name extends string>(
  query: { readonly [Each in Name]?: string },
  names: readonly [Name, Name],
  zone: TimeZone,
): Pick<CountsFilter, 'fromMs' | 'toMs'> {
  const [from, to] = names.map((name) => query[name])
  const fromMs = from === undefined ? undefined : floorToMinute(readTime(names[0], from, zone))
  // Rounded up, so that `to=now` includes the current minute.
  const toMs =
    to === undefined ? undefined : Math.min(floorToMinute(readTime(names[1], to, zone) + minuteMs - 1), lastMinuteMs)
  if (fromMs !== undefined && toMs !== undefined && toMs <= fromMs) {
    throw problem('range_empty', `"${names[1]}" (${to}) must be later than "${names[0]}" (${from}).`, names[1])
  }
  return { fromMs, toMs }
}

/** The time range of a filter; ±Infinity where the filter sets no bound. */
export function rangeOf({ fromMs = -Infinity, toMs = Infinity }: CountsFilter): { fromMs: number; toMs: number } {
  return { fromMs, toMs }
}

/** `a,b` is two targets; `a\,b` is one. */
function splitTargets(text: string): string[] {
  if (text.includes('\0'))
    throw problem('parameter_invalid', '"target" must not contain the character U+0000.', 'target')
  const targets = text.match(/(?:\\[\s\S]|[^,\\])+/g) ?? []
  if (targets.length === 0)
    throw problem('parameter_invalid', '"target" is empty. Omit it, or name at least one target.', 'target')
  return [...new Set(targets.map((target) => target.replace(/\\([\s\S])/g, '$1')))]
}

/** Parses a time, or a date, which means the moment at which it begins in the zone. */
function readTime(name: string, text: string, zone: TimeZone): number {
  const date = parseRfc3339(`${text}T00:00:00Z`)
  const time = date === undefined ? parseRfc3339(text) : zone.instantOf(date)
  if (time === undefined) {
    const hint = text.includes(' ') ? ' Encode a + in the URL as %2B.' : ''
    throw problem(
      'time_invalid',
      `"${name}" is "${text}". It must be a date such as 2026-11-21, or an RFC 3339 time such as 2026-11-21T10:00:00Z.${hint}`,
      name,
    )
  }
  if (time < firstMs || time >= lastMinuteMs + minuteMs)
    throw problem('time_invalid', `"${name}" is "${text}". The year must be 1 to 9999, in UTC.`, name)
  return time
}

/** The same range, as far as its years can be written. */
export function withinYears<Range extends { readonly fromMs: number; readonly toMs: number }>(range: Range): Range {
  return { ...range, fromMs: Math.max(range.fromMs, firstMs), toMs: Math.max(range.toMs, firstMs) }
}

function floorToMinute(timeMs: number): number {
  return Math.floor(timeMs / minuteMs) * minuteMs
}

/** The end of the current minute. */
export function endOfMinute(): number {
  return floorToMinute(Date.now()) + minuteMs
}
