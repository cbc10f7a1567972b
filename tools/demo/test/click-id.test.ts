import { describe, expect, it } from 'vitest'
import { clickId } from '../click-id.ts'

const endMs = Date.parse('2025-11-21T10:00:00.123Z')

describe('the id of a click', () => {
  it('is a UUID of version 7 and variant 10 that holds the time', () => {
    for (let position = 0; position < 200; position++) {
      const id = clickId(endMs, endMs, position, 'line')
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(endMs)
    }
  })

  it('is the same for the same run, position and line', () => {
    expect(clickId(endMs, endMs, 3, 'line')).toBe(clickId(endMs, endMs, 3, 'line'))
  })

  it('differs where one of them differs', () => {
    const ids = [
      clickId(endMs, endMs, 3, 'line'),
      clickId(endMs, endMs + 1, 3, 'line'),
      clickId(endMs, endMs, 4, 'line'),
      clickId(endMs, endMs, 3, 'another line'),
    ]
    expect(new Set(ids.map((id) => id.slice(14))).size).toBe(4)
  })

  it('uses all four digits that the variant leaves', () => {
    const digits = Array.from({ length: 200 }, (_, position) => clickId(endMs, endMs, position, '').charAt(19))
    expect([...new Set(digits)].sort()).toEqual(['8', '9', 'a', 'b'])
  })
})
