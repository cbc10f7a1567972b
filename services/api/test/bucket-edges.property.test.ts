import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { describe, expect, test } from 'vitest'
import { bucketEdges } from '../time/bucket-edges.ts'
import { timeZoneOf } from '../time/time-zone.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const beginMs = Date.UTC(2000, 0, 1)
const endMs = Date.UTC(2036, 0, 1)

/** Zones whose clocks do something unusual: offsets that are not whole hours, changes at midnight or by half an hour, skipped days. */
const unusual = [
  'UTC',
  'Europe/Paris',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'America/St_Johns',
  'America/Havana',
  'America/Sao_Paulo',
  'America/Asuncion',
  'Africa/Casablanca',
  'Africa/Cairo',
  'Asia/Beirut',
  'Asia/Gaza',
  'Asia/Pyongyang',
  'America/Caracas',
  'Pacific/Apia',
  'Pacific/Kiritimati',
  'Antarctica/Troll',
]
const tz = fc.oneof(fc.constantFrom(...unusual), fc.constantFrom(...Intl.supportedValuesOf('timeZone')))
const anyMinute = fc.integer({ min: beginMs / minuteMs, max: endMs / minuteMs }).map((minute) => minute * minuteMs)
const interval = fc.constantFrom(...(['day', 'week', 'month', 'quarter', 'year'] as const))
const weekStart = fc.constantFrom(...(['monday', 'sunday'] as const))

/** The next change of the zone's offset after `fromMs`, or `fromMs` if there is none. */
function nearTransition(tz: string, fromMs: number): number {
  const next = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(tz).getTimeZoneTransition('next')
  return next === null || next.epochMilliseconds > endMs ? fromMs : next.epochMilliseconds
}

const cases = fc
  .record({ tz, anyMinute, offset: fc.integer({ min: -3000, max: 3000 }), near: fc.boolean() })
  .map(({ tz, anyMinute, offset, near }) => ({
    tz,
    fromMs: near ? nearTransition(tz, anyMinute) + offset * minuteMs : anyMinute,
  }))

/** The first date of the bucket that contains a local date. */
function firstDate(date: Temporal.PlainDate, interval: string, weekStart: string): Temporal.PlainDate {
  switch (interval) {
    case 'week':
      return date.subtract({ days: weekStart === 'monday' ? date.dayOfWeek - 1 : date.dayOfWeek % 7 })
    case 'month':
      return date.with({ day: 1 })
    case 'quarter':
      return date.with({ day: 1, month: Math.floor((date.month - 1) / 3) * 3 + 1 })
    case 'year':
      return date.with({ day: 1, month: 1 })
    default:
      return date
  }
}

describe('bucketEdges', () => {
  test('days, weeks, months, quarters and years begin where Temporal says, in every zone', () => {
    const duration = {
      day: { days: 1 },
      week: { weeks: 1 },
      month: { months: 1 },
      quarter: { months: 3 },
      year: { years: 1 },
    }
    fc.assert(
      fc.property(
        cases,
        interval,
        weekStart,
        fc.integer({ min: 1, max: 20_000 }),
        ({ tz, fromMs }, interval, weekStart, minutes) => {
          const toMs = fromMs + minutes * minuteMs * (interval === 'day' ? 1 : 30)
          const expected: number[] = []
          const startOf = (date: Temporal.PlainDate) => date.toZonedDateTime(tz).epochMilliseconds
          let date = firstDate(
            Temporal.Instant.fromEpochMilliseconds(fromMs - 3 * dayMs)
              .toZonedDateTimeISO(tz)
              .toPlainDate(),
            interval,
            weekStart,
          )
          while ((expected.at(-1) ?? 0) < toMs) {
            if (startOf(date) !== expected.at(-1)) expected.push(startOf(date))
            date = date.add(duration[interval])
          }
          const edges = bucketEdges(interval, timeZoneOf(tz), { fromMs, toMs }, weekStart)
          expect(edges).toEqual(expected.slice(expected.findLastIndex((edge) => edge <= fromMs)))
        },
      ),
      { numRuns: 500, interruptAfterTimeLimit: 10_000 },
    )
  })

  test.each(['minute', 'hour'] as const)(
    'each bucket by %s has one reading of local clocks, and its neighbours have others',
    (interval) => {
      // The local time to the minute or hour, with the offset: the same twice a year otherwise.
      const reading = (tz: string, instantMs: number) => {
        const local = Temporal.Instant.fromEpochMilliseconds(instantMs).toZonedDateTimeISO(tz)
        const clock = local.toPlainDateTime().round({ smallestUnit: interval, roundingMode: 'floor' })
        return `${clock} ${local.offset}`
      }
      fc.assert(
        fc.property(
          cases,
          fc.integer({ min: 1, max: interval === 'minute' ? 200 : 3_000 }),
          ({ tz, fromMs }, minutes) => {
            const toMs = fromMs + minutes * minuteMs
            const edges = bucketEdges(interval, timeZoneOf(tz), { fromMs, toMs })
            const expected: number[] = []
            for (let at = fromMs - 2 * hourMs; at <= toMs + 2 * hourMs; at += minuteMs) {
              if (reading(tz, at) !== reading(tz, at - minuteMs)) expected.push(at)
            }
            const first = expected.findLastIndex((edge) => edge <= fromMs)
            const last = expected.findIndex((edge) => edge >= toMs)
            expect(edges).toEqual(expected.slice(first, last + 1))
          },
        ),
        { numRuns: 40, interruptAfterTimeLimit: 10_000 },
      )
    },
  )
})
