import { isUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { describe, expect, it } from 'vitest'
import { SyntheticClicks } from '../synthetic-clicks.ts'

const nowMs = Date.parse('2026-11-21T10:00:00Z')

function clicksOf(seed: number, count: number) {
  const made = new SyntheticClicks(seed)
  return Array.from({ length: count }, (_, index) => made.next(nowMs + index))
}

describe('an endless sequence of synthetic clicks', () => {
  it('is the same for equal seeds, apart from the ids', () => {
    const bare = (seed: number) => clicksOf(seed, 200).map(({ id, ...rest }) => rest)
    expect(bare(3)).toEqual(bare(3))
    expect(bare(4)).not.toEqual(bare(3))
  })

  it('has a unique id with the requested time per click', () => {
    const clicks = clicksOf(1, 500)
    expect(new Set(clicks.map(({ id }) => id)).size).toBe(500)
    for (const [index, { id, occurredAt }] of clicks.entries()) {
      expect(isUuidV7(id)).toBe(true)
      expect(timeOfUuidV7(id)).toBe(nowMs + index)
      expect(Date.parse(occurredAt)).toBe(nowMs + index)
    }
  })

  it('has a referrer in about half of its clicks, and some bots', () => {
    const clicks = clicksOf(1, 5_000)
    const share = (count: number) => count / clicks.length
    expect(share(clicks.filter(({ referrer }) => referrer !== undefined).length)).toBeCloseTo(0.5, 1)
    const bots = share(clicks.filter(({ bot }) => bot === true).length)
    expect(bots).toBeGreaterThan(0.02)
    expect(bots).toBeLessThan(0.25)
  })
})
