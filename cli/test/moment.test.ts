import { describe, expect, test } from 'vitest'
import { durationOption, endOption, formatMoment, parseMoment } from '../moment.ts'

const now = Date.parse('2026-05-17T10:05:03Z')

describe('a time on the command line', () => {
  test.each([
    ['2026-05-17T10:05:03Z', '2026-05-17T10:05:03.000Z'],
    ['2026-05-17T12:05:03+02:00', '2026-05-17T10:05:03.000Z'],
    ['2026-05-17', '2026-05-17T00:00:00.000Z'],
    ['90s', '2026-05-17T10:03:33.000Z'],
    ['30m', '2026-05-17T09:35:03.000Z'],
    ['2h', '2026-05-17T08:05:03.000Z'],
    ['7d', '2026-05-10T10:05:03.000Z'],
  ])('%s is taken', (text, expected) => {
    expect(new Date(parseMoment(text, now) ?? Number.NaN).toISOString()).toBe(expected)
  })

  test.each(['', 'yesterday', '2026-02-30', '10:05', '2026-05-17T10:05', '5w', '-1h'])('%j is not', (text) => {
    expect(parseMoment(text, now)).toBeUndefined()
  })

  test('is shown with seconds', () => {
    expect(formatMoment(new Date(now + 456))).toBe('2026-05-17 10:05:03Z')
  })
})

test.each([
  ['90s', 90_000],
  ['0s', 0],
  ['7d', 604_800_000],
])('%s is a duration', (text, expected) => {
  expect(durationOption(text)).toBe(expected)
})

test.each(['', '1', '1.5h', 'h', '-1h'])('%j is no duration', (text) => {
  expect(() => durationOption(text)).toThrow('Expected a duration')
})

test('the end of something is a time or a duration from now', () => {
  expect(endOption('2030-05-17').toISOString()).toBe('2030-05-17T00:00:00.000Z')
  expect(endOption('2h').getTime() - Date.now()).toBeCloseTo(7_200_000, -3)
  expect(() => endOption('soon')).toThrow('2h, 90d from now')
})
