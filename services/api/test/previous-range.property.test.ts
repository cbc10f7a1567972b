import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { describe, expect, test } from 'vitest'
import { previousRange } from '../time/previous-range.ts'
import { timeZoneOf } from '../time/time-zone.ts'

const unusual = ['UTC', 'Europe/Paris', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/Havana', 'Asia/Beirut']
const tz = fc.oneof(fc.constantFrom(...unusual), fc.constantFrom(...Intl.supportedValuesOf('timeZone')))
const date = fc.integer({ min: 0, max: 365 * 30 }).map((days) => Temporal.PlainDate.from('2000-06-01').add({ days }))
// Samoa skipped a date: a range that contains it touches a day less than its calendar has.
const cases = {
  tz: tz.filter((name) => !/Apia|Samoa|Kwajalein|Fakaofo/.test(name)),
  date,
  length: fc.integer({ min: 1, max: 500 }),
}

function startOf(day: Temporal.PlainDate, tz: string): number {
  return day.toZonedDateTime(tz).epochMilliseconds
}

describe('the previous range', () => {
  test('of whole months is as many months before', () => {
    fc.assert(
      fc.property(fc.record(cases), ({ tz, date, length }) => {
        const months = 1 + (length % 30)
        const first = date.with({ day: 1 })
        const range = { fromMs: startOf(first, tz), toMs: startOf(first.add({ months }), tz) }
        expect(previousRange(range, timeZoneOf(tz))).toEqual({
          fromMs: startOf(first.subtract({ months }), tz),
          toMs: range.fromMs,
        })
      }),
    )
  })

  test('of whole days is as many days before, whatever the length of each', () => {
    fc.assert(
      fc.property(fc.record(cases), ({ tz, date, length }) => {
        const end = date.add({ days: length })
        fc.pre(date.day !== 1 || end.day !== 1)
        const range = { fromMs: startOf(date, tz), toMs: startOf(end, tz) }
        expect(previousRange(range, timeZoneOf(tz))).toEqual({
          fromMs: startOf(date.subtract({ days: length }), tz),
          toMs: range.fromMs,
        })
      }),
    )
  })

  test.each([
    [
      'today until 10:30, after the change to winter time',
      '2026-10-26',
      '2026-10-26T10:30',
      ['2026-10-25', '2026-10-25T10:30'],
    ],
    ['this week until Wednesday evening', '2026-11-23', '2026-11-25T18:00', ['2026-11-20', '2026-11-22T18:00']],
    ['an hour', '2026-10-25T05:00', '2026-10-25T06:00', ['2026-10-25T04:00', '2026-10-25T05:00']],
  ])('of %s', (_what, from, to, [before, until]) => {
    const at = (text = '') => Temporal.PlainDateTime.from(text).toZonedDateTime('Europe/Paris').epochMilliseconds
    expect(previousRange({ fromMs: at(from), toMs: at(to) }, timeZoneOf('Europe/Paris'))).toEqual({
      fromMs: at(before),
      toMs: at(until),
    })
  })

  test('of a month so far, by month, ends with the shorter month', () => {
    const at = (text: string) => Date.parse(`${text}Z`)
    const range = { fromMs: at('2026-03-01T00:00'), toMs: at('2026-03-31T12:00') }
    expect(previousRange(range, timeZoneOf('UTC'), 'month')).toEqual({
      fromMs: at('2026-02-01T00:00'),
      toMs: at('2026-02-28T12:00'),
    })
  })
})
