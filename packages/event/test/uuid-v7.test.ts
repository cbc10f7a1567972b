import { describe, expect, test } from 'vitest'
import { formatUuidV7, isUuidV7, randomUuidV7, timeOfUuidV7 } from '../uuid-v7.ts'

const times = [0, 1, 1_700_000_000_123, Date.UTC(2026, 10, 21, 23, 59, 59, 999), 2 ** 48 - 1]

describe('a UUID of version 7', () => {
  test.each(times)('contains the time it was made from: %i', (timeMs) => {
    expect(timeOfUuidV7(randomUuidV7(timeMs))).toBe(timeMs)
    expect(timeOfUuidV7(formatUuidV7(timeMs, 'f'.repeat(19)))).toBe(timeMs)
  })

  test('has its version and variant bits, whatever the other bits are', () => {
    for (let count = 0; count < 2_000; count += 1) expect(randomUuidV7(1_700_000_000_123)).toSatisfy(isUuidV7)
    for (const digit of '0123456789abcdef') expect(formatUuidV7(0, digit.repeat(19))).toSatisfy(isUuidV7)
  })

  test('uses all four variants that RFC 9562 allows, and all other bits', () => {
    const ids = Array.from({ length: 2_000 }, () => randomUuidV7(0).replaceAll('-', ''))
    expect(new Set(ids.map((id) => id.charAt(16)))).toEqual(new Set(['8', '9', 'a', 'b']))
    for (const place of [13, 14, 15, ...Array.from({ length: 15 }, (_, at) => 17 + at)]) {
      expect(new Set(ids.map((id) => id.charAt(place))).size, `digit ${place}`).toBe(16)
    }
  })

  test('is random: no two are equal', () => {
    expect(new Set(Array.from({ length: 2_000 }, () => randomUuidV7(1_700_000_000_123))).size).toBe(2_000)
  })

  test('sorts by its time', () => {
    expect(randomUuidV7(1_699_999_999_999) < randomUuidV7(1_700_000_000_000)).toBe(true)
  })

  test.each([
    ['version 4', '0f8fad5b-d9cb-469f-a165-70867728950e'],
    ['version 1', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
    ['a variant of Microsoft', '019aa3f0-5c00-7abc-cdef-0123456789ab'],
    ['nil', '00000000-0000-0000-0000-000000000000'],
    ['upper case, which is folded before', '019AA3F0-5C00-7ABC-8DEF-0123456789AB'],
    ['braces', '{019aa3f0-5c00-7abc-8def-0123456789ab}'],
    ['no dashes', '019aa3f05c007abc8def0123456789ab'],
    ['a line break at the end', '019aa3f0-5c00-7abc-8def-0123456789ab\n'],
    ['nothing', ''],
  ])('is not %s', (_name, text) => {
    expect(isUuidV7(text)).toBe(false)
  })
})
