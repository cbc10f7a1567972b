import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Batcher } from '../queue/batcher.ts'

const limits = { maxClicks: 10, maxItems: 4, flushAfterMs: 50 }

interface Item {
  readonly clicks: number
  readonly number: number
}

/** What may happen to a batcher, in any order. */
const happening = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ does: fc.constant('arrive' as const), clicks: fc.integer({ min: 1, max: 14 }) }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('written' as const) }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 120 }) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('discard' as const) }) },
)

describe('the batcher, for any sequence of events', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('writes each item once, in order and in time, in batches within the limits, one at a time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(happening, fc.boolean()), { maxLength: 60 }), async (happenings) => {
        const gathered: Item[] = []
        let underWay: { finish: () => void } | undefined
        let number = 0
        const batcher = new Batcher<Item, readonly Item[]>({
          ...limits,
          prepare: async (batch) => batch,
          write: (batch) => {
            expect(underWay).toBeUndefined()
            // The model: what was gathered first is written first, and nothing else.
            expect(batch).toEqual(gathered.splice(0, batch.length))
            expect(batch.length).toBeGreaterThan(0)
            const clicks = batch.reduce((sum, item) => sum + item.clicks, 0)
            expect(clicks <= limits.maxClicks || batch.length === 1).toBe(true)
            return new Promise((finish) => {
              underWay = { finish }
            })
          },
        })
        const written = async () => {
          const { finish } = underWay ?? {}
          underWay = undefined
          finish?.()
          await vi.advanceTimersByTimeAsync(0)
        }
        for (const [happens, isNextSoon] of happenings) {
          if (happens.does === 'arrive') {
            number += 1
            gathered.push({ clicks: happens.clicks, number })
            batcher.add({ clicks: happens.clicks, number })
          } else if (happens.does === 'written') {
            await written()
          } else if (happens.does === 'pass') {
            await vi.advanceTimersByTimeAsync(happens.ms)
            if (happens.ms >= limits.flushAfterMs) expect(gathered.length === 0 || underWay !== undefined).toBe(true)
          } else {
            gathered.length = 0
            batcher.discard()
          }
          // Preparing takes no time, but is never done at once: what happens next may come before.
          if (isNextSoon) continue
          await vi.advanceTimersByTimeAsync(0)
          // Enough for a batch is never held back while nothing is being written.
          const clicks = gathered.reduce((sum, item) => sum + item.clicks, 0)
          const full = clicks >= limits.maxClicks || gathered.length >= limits.maxItems
          expect(full && underWay === undefined).toBe(false)
        }
        for (let round = 0; round < happenings.length + 2; round += 1) {
          await vi.advanceTimersByTimeAsync(limits.flushAfterMs)
          await written()
        }
        expect([gathered, batcher.isIdle]).toEqual([[], true])
      }),
      { numRuns: 500 },
    )
  })
})
