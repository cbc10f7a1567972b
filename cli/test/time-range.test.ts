import { previousRange } from '@clicktally/api/time/previous-range.ts'
import { timeZoneOf } from '@clicktally/api/time/time-zone.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { change } from '../reading/change.ts'
import { csvLine } from '../reading/csv.ts'
import { sparkline } from '../reading/sparkline.ts'
import { lastOption, rangeBefore, rangeOfLast } from '../reading/time-range.ts'

/** Half past noon in Paris, on the day after the clocks went forward. */
const nowMs = Date.parse('2026-03-30T10:30:20Z')

test.each([
  ['1d', 'UTC', '2026-03-30'],
  ['7d', 'Europe/Paris', '2026-03-24'],
  ['1d', 'Pacific/Auckland', '2026-03-30'],
  ['1d', 'Pacific/Kiritimati', '2026-03-31'],
  ['2w', 'UTC', '2026-03-17'],
  ['1h', 'UTC', '2026-03-30T10:00:00.000Z'],
  ['30m', 'UTC', '2026-03-30T10:01:00.000Z'],
])('the last %s in %s begin at %s', (text, timeZone, from) => {
  expect(rangeOfLast(lastOption(text), timeZone, nowMs)).toEqual({ from })
})

test.each(['7', 'd', '0d', '7y', '-1d', '100000d'])('"%s" is no time to look back', (text) => {
  expect(() => lastOption(text)).toThrow('30m, 24h, 7d, 4w')
})

test.each([
  ['dates', { from: '2026-03-01', to: '2026-03-31' }, { from: '2026-01-30', to: '2026-03-01' }],
  ['an open range', { from: '2026-03-29' }, { from: '2026-03-27', to: '2026-03-28T11:30:20.000Z' }],
  [
    'times',
    { from: '2026-03-30T08:00:00Z', to: '2026-03-30T09:30:00Z' },
    { from: '2026-03-30T06:30:00.000Z', to: '2026-03-30T08:00:00Z' },
  ],
  ['an open time', { from: '2026-03-30T10:00:00Z' }, { from: '2026-03-30T09:29:40.000Z', to: '2026-03-30T10:00:00Z' }],
])('the range before %s', (_, range, before) => {
  expect(rangeBefore(range, 'Europe/Paris', nowMs)).toEqual(before)
})

test.each(['Europe/Paris', 'America/Santiago', 'Australia/Lord_Howe', 'Pacific/Apia', 'UTC'])(
  'days that go on are compared with the same local time in %s, as the api does',
  (name) => {
    const zone = timeZoneOf(name)
    const instant = fc.date({
      ...{ min: new Date('2011-06-01T00:00:00Z'), max: new Date('2031-01-01T00:00:00Z') },
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(instant, fc.integer({ min: 1, max: 200 }), (now, count) => {
        // At the moment when a day begins, the api takes it for the end of the one before.
        fc.pre(now.getTime() % 60_000 !== 0)
        const range = rangeOfLast({ count, unit: 'd' }, name, now.getTime())
        const fromMs = zone.instantOf(Date.parse(range.from))
        const previous = previousRange({ fromMs, toMs: now.getTime() }, zone)
        const { from, to } = rangeBefore(range, name, now.getTime())
        expect({ fromMs: zone.instantOf(Date.parse(from)), toMs: Date.parse(to) }).toEqual(previous)
      }),
      { numRuns: 500 },
    )
  },
)

test.each([
  ['skipped', '2026-03-30T00:30:00Z', '2026-03-29T01:00:00.000Z'],
  ['repeated', '2026-10-26T01:30:00Z', '2026-10-25T00:30:00.000Z'],
])('a time that clocks %s a day ago', (_, now, to) => {
  const before = rangeBefore({ from: now.slice(0, 10) }, 'Europe/Paris', Date.parse(now))
  expect(before.to).toBe(to)
})

test('a date and a time are not compared', () => {
  expect(() => rangeBefore({ from: '2026-03-01', to: '2026-03-02T10:00:00Z' }, 'UTC', nowMs)).toThrow(
    'give both ends as dates',
  )
})

test('a change is told in percent', () => {
  expect([change(0, 0), change(5, 0), change(0, 5), change(5, 5), change(12, 10)]).toEqual([
    ...['', 'new', '-100 %', '+0 %', '+20 %'],
  ])
})

test('a sparkline fits a line, and shows a single click', () => {
  expect(sparkline([0, 1, 500, 1000])).toBe('▁▂▅█')
  expect(sparkline([])).toBe('')
  expect(sparkline(Array.from({ length: 250 }, () => 1))).toHaveLength(84)
})

test('CSV quotes what it must, and leaves no formula', () => {
  expect(csvLine(['a', 'b"c,d', '=1', '+1', '-1', '@x', "'", 'two\nlines', -5])).toBe(
    `a,"b""c,d",'=1,'+1,'-1,'@x,'',"two\nlines",-5`,
  )
})
