import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRfc3339 } from '../rfc3339.ts'

describe('an RFC 3339 time', () => {
  test.each([
    ['2026-11-21T10:15:30Z', Date.UTC(2026, 10, 21, 10, 15, 30)],
    ['2026-11-21t10:15:30z', Date.UTC(2026, 10, 21, 10, 15, 30)],
    ['2026-11-21T10:15:30.250Z', Date.UTC(2026, 10, 21, 10, 15, 30, 250)],
    ['2026-11-21T10:15:30.2Z', Date.UTC(2026, 10, 21, 10, 15, 30, 200)],
    ['2026-11-21T10:15:30.123999999Z', Date.UTC(2026, 10, 21, 10, 15, 30, 123)],
    ['2026-11-21T10:15:30+05:45', Date.UTC(2026, 10, 21, 4, 30, 30)],
    ['2026-11-21T10:15:30-03:30', Date.UTC(2026, 10, 21, 13, 45, 30)],
    ['2026-11-21T00:15:30+14:00', Date.UTC(2026, 10, 20, 10, 15, 30)],
    ['2026-11-21T10:15:30-00:00', Date.UTC(2026, 10, 21, 10, 15, 30)],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['2000-02-29T00:00:00Z', Date.UTC(2000, 1, 29)],
    ['2026-12-31T23:59:59.999Z', Date.UTC(2026, 11, 31, 23, 59, 59, 999)],
    ['0001-01-01T00:00:00Z', Date.parse('0001-01-01T00:00:00Z')],
    ['9999-12-31T23:59:59Z', Date.UTC(9999, 11, 31, 23, 59, 59)],
  ])('%s is read', (text, timeMs) => {
    expect(parseRfc3339(text)).toBe(timeMs)
  })

  test.each([
    ['a day that does not exist', '2015-02-30T00:00:00Z'],
    ['29 February in a year that is no leap year', '2026-02-29T00:00:00Z'],
    ['29 February in 1900', '1900-02-29T00:00:00Z'],
    ['31 April', '2026-04-31T00:00:00Z'],
    ['day 0', '2026-11-00T00:00:00Z'],
    ['month 0', '2026-00-21T00:00:00Z'],
    ['month 13', '2026-13-21T00:00:00Z'],
    ['hour 24', '2026-11-21T24:00:00Z'],
    ['minute 60', '2026-11-21T10:60:00Z'],
    ['a leap second', '2016-12-31T23:59:60Z'],
    ['no offset', '2026-11-21T10:15:30'],
    ['an offset without a colon', '2026-11-21T10:15:30+0545'],
    ['an offset of 24 hours', '2026-11-21T10:15:30+24:00'],
    ['an offset of 60 minutes', '2026-11-21T10:15:30+05:60'],
    ['a named zone', '2026-11-21T10:15:30 Europe/Paris'],
    ['a space in place of T', '2026-11-21 10:15:30Z'],
    ['no seconds', '2026-11-21T10:15Z'],
    ['a point and no fraction', '2026-11-21T10:15:30.Z'],
    ['a comma before the fraction', '2026-11-21T10:15:30,5Z'],
    ['ten digits of fraction', '2026-11-21T10:15:30.1234567890Z'],
    ['a date alone', '2026-11-21'],
    ['a week date', '2026-W47-6T10:15:30Z'],
    ['a year of two digits', '26-11-21T10:15:30Z'],
    ['a year of six digits', '+002026-11-21T10:15:30Z'],
    ['digits of another script', '２０２６-11-21T10:15:30Z'],
    ['spaces around', ' 2026-11-21T10:15:30Z '],
    ['a line break at the end', '2026-11-21T10:15:30Z\n'],
    ['the format of e-mail', 'Sat, 21 Nov 2026 10:15:30 GMT'],
    ['milliseconds', '1795256130000'],
    ['nothing', ''],
  ])('is not %s', (_name, text) => {
    expect(parseRfc3339(text)).toBeUndefined()
  })
})

/** The same by a regular expression and the engine's own parser: slower, and plain to see. */
function parseSlowly(text: string): number | undefined {
  const shape = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?(?:[Zz]|[+-](\d{2}):(\d{2}))$/
  const [, ...parts] = (shape.exec(text) ?? []).map(Number)
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] = parts
  // The calendar comes back every 400 years; Date.UTC takes years below 100 for others.
  const daysInMonth = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  if (parts.length === 0 || month < 1 || month > 12 || day < 1 || day > daysInMonth || hour > 23) return undefined
  if (minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59) return undefined
  const time = Date.parse(text.toUpperCase())
  return Number.isNaN(time) ? undefined : time
}

describe('the hand-written parser', () => {
  const two = fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 99 })).map((number) => String(number).padStart(2, '0'))
  const four = fc.nat({ max: 9999 }).map((number) => String(number).padStart(4, '0'))
  const fraction = fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{1,10}$/))
  const offset = fc.oneof(
    fc.constantFrom('Z', 'z', ''),
    fc.tuple(fc.constantFrom('+', '-'), two, fc.constant(':'), two).map((parts) => parts.join('')),
  )
  const timely = fc
    .tuple(four, two, two, fc.constantFrom('T', 't', ' '), two, two, two, fraction, offset)
    .map(
      ([year, month, day, t, hour, minute, second, rest, zone]) =>
        `${year}-${month}-${day}${t}${hour}:${minute}:${second}${rest}${zone}`,
    )
  const damaged = fc
    .tuple(timely, fc.nat({ max: 30 }), fc.constantFrom('', '0', '-', ':', 'T', '.', ' ', 'Z', '٣', '９'))
    .map(([text, at, insert]) => text.slice(0, at) + insert + text.slice(at + 1))
  const real = fc
    .date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
    .map((date) => date.toISOString())

  test('agrees with Date.parse for any text', () => {
    fc.assert(
      fc.property(fc.oneof(timely, damaged, real, fc.string()), (text) => {
        expect(parseRfc3339(text)).toBe(parseSlowly(text))
      }),
      { numRuns: 20_000 },
    )
  })
})
