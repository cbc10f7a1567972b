import { formatUuidV7 } from '@clicktally/event/uuid-v7.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ClickRow } from '../rows/click-row.ts'
import { RecentClicks } from '../store/recent-clicks.ts'
import { consumedMessage, createClick } from './processor-under-test.ts'

const producer = '0f8fad5b-d9cb-469f-a165-70867728950e'

/** Clicks with the ids 0, 1, 2 … in two projects; each call makes rows of their own. */
function rowsOf(numbers: readonly number[]): ClickRow[] {
  const clicks = numbers.map((number) =>
    createClick({
      id: formatUuidV7(1_700_000_000_000, (number >> 1).toString(16).padStart(19, '0')),
      projectId: 1 + (number % 2),
    }),
  )
  return [...consumedMessage({ producer, sequence: 1, clicks: clicks.length, settled: 0, confirmed: 0 }, clicks).clicks]
}

test('contains only clicks that were added, and at least the last ones', () => {
  const batches = fc.array(fc.uniqueArray(fc.nat({ max: 199 }), { minLength: 1, maxLength: 10 }), { maxLength: 30 })
  fc.assert(
    fc.property(batches, (batches) => {
      // A generation has 32 of 64.
      const recent = new RecentClicks(64)
      const added: number[] = []
      for (const batch of batches) {
        recent.add(rowsOf(batch))
        added.push(...batch)
        const last = new Set(added.slice(-32))
        const all = new Set(added)
        for (const [number, click] of rowsOf(Array.from({ length: 200 }, (_, number) => number)).entries()) {
          if (last.has(number)) expect(recent.has(click), `${number}`).toBe(true)
          if (!all.has(number)) expect(recent.has(click), `${number}`).toBe(false)
        }
      }
      recent.clear()
      expect(rowsOf(added).some((click) => recent.has(click))).toBe(false)
    }),
    { numRuns: 50 },
  )
})
