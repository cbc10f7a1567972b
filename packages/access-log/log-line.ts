import { isIP } from 'node:net'
import { cutText } from '@clicktally/event/cut-text.ts'
import { maxCharsOf } from '@clicktally/event/event-fields.ts'

/** The fields of an access log line that a click needs. Omits fields that are `-`. */
export interface LogLine {
  timeMs: number
  /** Path of the request without the query string; the whole request if it has no path. Never empty. */
  target: string
  address?: string
  referrer?: string
  userAgent?: string
}

// Fractional seconds and the time zone are missing in the logs of some servers.
const timePattern =
  /\[(\d{1,2})\/([A-Za-z]{3})\/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?: ?([+-])(\d\d):?(\d\d)| Z)?\]/

// Some servers do not escape `"` inside the request. The closing one is followed by the status code.
const statusPattern = /" +(?:\d{3}|-)(?: |$)/y

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/**
 * Parses a line in the common or combined log format (https://httpd.apache.org/docs/current/logs.html#accesslog), optionally
 * with a leading virtual host and additional fields at the end. Returns undefined for any other line.
 */
export function parseLogLine(line: string): LogLine | undefined {
  const time = timePattern.exec(line)
  if (!time) return undefined
  const timeMs = timeOf(time)
  if (timeMs === undefined) return undefined

  const requestStart = line.indexOf('"', time.index + time[0].length) + 1
  if (requestStart === 0) return undefined
  const requestEnd = endOfRequest(line, requestStart)
  if (requestEnd === undefined) return undefined

  const referrer = quotedField(line, requestEnd + 1)
  const userAgent = referrer && quotedField(line, referrer.end + 1)
  return {
    timeMs,
    target: targetOf(unescapeQuoted(line.slice(requestStart, requestEnd))),
    ...present('address', addressOf(line.slice(0, time.index))),
    ...present('referrer', referrer && cutText(referrer.text, maxCharsOf('referrer'))),
    ...present('userAgent', userAgent?.text),
  }
}

function present<Name extends string>(name: Name, text: string | undefined): { [name in Name]?: string } {
  return text === undefined || text === '' || text === '-' ? {} : ({ [name]: text } as { [name in Name]: string })
}

function timeOf(match: RegExpExecArray): number | undefined {
  const [, day, monthName = '', year, hour, minute, second, sign, zoneHours = 0, zoneMinutes = 0] = match
  const month = months.indexOf(monthName.toLowerCase())
  if (month === -1 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  // Leap seconds are written as :60.
  const leapMs = second === '60' ? 1000 : 0
  const timeMs = Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second)) - leapMs
  // Date.UTC turns 31 February into 3 March.
  if (new Date(timeMs).getUTCDate() !== Number(day)) return undefined
  const offsetMinutes = Number(zoneHours) * 60 + Number(zoneMinutes)
  return timeMs + leapMs - (sign === '-' ? -1 : 1) * offsetMinutes * 60_000
}

function endOfRequest(line: string, start: number): number | undefined {
  for (let quote = line.indexOf('"', start); quote !== -1; quote = line.indexOf('"', quote + 1)) {
    if (isEscaped(line, quote, start)) continue
    statusPattern.lastIndex = quote
    if (statusPattern.test(line)) return quote
  }
  return undefined
}

/** Returns the next quoted field, up to the end of the line if the line was truncated. */
function quotedField(line: string, from: number): { text: string; end: number } | undefined {
  const start = line.indexOf('"', from) + 1
  if (start === 0) return undefined
  let end = line.indexOf('"', start)
  while (end !== -1 && isEscaped(line, end, start)) end = line.indexOf('"', end + 1)
  if (end === -1) end = line.length
  return { text: unescapeQuoted(line.slice(start, end)), end }
}

function isEscaped(line: string, position: number, start: number): boolean {
  let backslashes = 0
  while (position - backslashes > start && line.charAt(position - backslashes - 1) === '\\') backslashes++
  return backslashes % 2 === 1
}

// `\xHH` is kept: it represents bytes that may not be text.
function unescapeQuoted(text: string): string {
  return text.includes('\\') ? text.replace(/\\(["\\])/g, '$1') : text
}

/** `address ident user`, or `vhost address ident user`. The user may contain spaces. */
function addressOf(prefix: string): string | undefined {
  const fields = prefix.split(' ').filter((field) => field !== '')
  const [first, second] = fields.slice(0, 2).map((field) => field.replace(/^\[|[\],]+$/g, ''))
  if (first === undefined || second === undefined) return first
  if (isIP(first)) return first
  if (isIP(second)) return second
  // With host names instead of addresses: no current server fills the ident, so a second field that is not `-` is the address.
  return fields.length >= 4 && second !== '-' ? second : first
}

function targetOf(request: string): string {
  return cutText(pathOf(request) ?? (request.trim() || '-'), maxCharsOf('target'))
}

/** Returns the path of `GET /path?query HTTP/1.1` or `GET http://host/path HTTP/1.1`; undefined if the request is malformed. */
function pathOf(request: string): string | undefined {
  const methodEnd = request.indexOf(' ')
  if (methodEnd < 1 || !/^[A-Za-z][\w-]{0,31}$/.test(request.slice(0, methodEnd))) return undefined
  const versionStart = request.lastIndexOf(' HTTP/')
  const location = request.slice(methodEnd + 1, versionStart > methodEnd ? versionStart : undefined).trim()
  if (location === '' || location.startsWith('HTTP/')) return undefined
  const path = location.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?]*/, '')
  const queryStart = path.indexOf('?')
  return (queryStart === -1 ? path : path.slice(0, queryStart)) || '/'
}
