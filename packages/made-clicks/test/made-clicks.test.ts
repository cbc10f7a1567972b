import { isUuidV7, timeOfUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import { describe, expect, it } from 'vitest'
import { MadeClicks } from '../made-clicks.ts'

const nowMs = Date.parse('2026-11-21T10:00:00Z')

function clicksOf(seed: number, count: number) {
  const made = new MadeClicks(seed)
  return Array.from({ length: count }, (_, index) => made.next(nowMs + index))
}

describe('made clicks without end', () => {
  it('are the same for the same seed, but for their ids', () => {
    const bare = (seed: number) => clicksOf(seed, 200).map(({ id, ...rest }) => rest)
    expect(bare(3)).toEqual(bare(3))
    expect(bare(4)).not.toEqual(bare(3))
  })

  it('have an id of their own, of the time that was asked for', () => {
    const clicks = clicksOf(1, 500)
    expect(new Set(clicks.map(({ id }) => id)).size).toBe(500)
    for (const [index, { id, occurredAt }] of clicks.entries()) {
      expect(isUuidV7(id)).toBe(true)
      expect(timeOfUuidV7(id)).toBe(nowMs + index)
      expect(Date.parse(occurredAt)).toBe(nowMs + index)
    }
  })

  it('have a referrer in about half of them, and some bots', () => {
    const clicks = clicksOf(1, 5_000)
    const share = (count: number) => count / clicks.length
    expect(share(clicks.filter(({ referrer }) => referrer !== undefined).length)).toBeCloseTo(0.5, 1)
    const bots = share(clicks.filter(({ bot }) => bot === true).length)
    expect(bots).toBeGreaterThan(0.02)
    expect(bots).toBeLessThan(0.25)
  })
})
