import { describe, expect, it } from 'vitest'
import { Zipf } from '../zipf.ts'

describe("Zipf's law", () => {
  it('draws a rank with a probability inversely proportional to its position', () => {
    const zipf = new Zipf(3, 1)
    const drawn = [0, 0, 0]
    for (let step = 0; step < 1100; step++) {
      const rank = zipf.rank((step + 0.5) / 1100)
      drawn[rank] = (drawn[rank] ?? 0) + 1
    }
    expect(drawn).toEqual([600, 300, 200])
  })

  it('draws no rank out of range', () => {
    const zipf = new Zipf(1_000, 1.1)
    expect(zipf.rank(0)).toBe(0)
    expect(zipf.rank(1 - 2 ** -32)).toBe(999)
  })
})
