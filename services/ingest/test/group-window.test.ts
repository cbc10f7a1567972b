import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GroupWindow, maxGroupsInFlight, minGroupsInFlight } from '../group-window.ts'

/** A window, a clock that stands still until it is told to move, and a process that is as busy as it is told to be. */
function createWindow() {
  const process = { nowMs: 0, busyShare: 0 }
  const window = new GroupWindow({ now: () => process.nowMs, busyShare: () => process.busyShare })
  const confirm = (times: number, afterMs: number, everyMs = 0) => {
    for (let time = 0; time < times; time++) {
      process.nowMs += everyMs
      window.confirmed(afterMs)
    }
  }
  return { window, process, confirm }
}

/** Long enough for the moving average to be at the newest confirm times, and for the base to be forgotten. */
const settled = 100
const minuteMs = 60_000

describe('the window of groups in flight', () => {
  test('is open before anything is known, and while confirms are as fast as ever', () => {
    const { window, confirm } = createWindow()
    expect(window.size).toBe(maxGroupsInFlight)
    confirm(settled, 2)
    expect(window.size).toBe(maxGroupsInFlight)
  })

  test('closes step by step as confirms get slower, to two groups and no less', () => {
    const { window, confirm } = createWindow()
    confirm(settled, 2)
    const sizes = [2.9, 4, 6, 12, 40, 4_000].map((afterMs) => {
      confirm(settled, afterMs)
      return window.size
    })
    expect(sizes).toEqual([maxGroupsInFlight, 4, 2, 2, 2, 2])
  })

  test('opens again when confirms are fast again', () => {
    const { window, confirm } = createWindow()
    confirm(settled, 2)
    confirm(settled, 40)
    expect(window.size).toBe(minGroupsInFlight)
    confirm(settled, 2)
    expect(window.size).toBe(maxGroupsInFlight)
  })

  test('is not closed by a single stall, and open again a few confirms later', () => {
    const { window, confirm } = createWindow()
    confirm(settled, 2)
    confirm(1, 4_000)
    expect(window.size).toBeGreaterThan(minGroupsInFlight)
    confirm(8, 2)
    expect(window.size).toBe(maxGroupsInFlight)
  })

  test('opens when the broker has become slower and the process has time to spare', () => {
    const { window, confirm } = createWindow()
    confirm(settled, 2)
    confirm(settled, 10, (2 * minuteMs) / settled)
    expect(window.size).toBe(maxGroupsInFlight)
  })

  test('stays closed when confirms are slow because the process is busy, for however long', () => {
    const { window, process, confirm } = createWindow()
    confirm(settled, 2)
    process.busyShare = 0.95
    confirm(settled, 12, minuteMs)
    expect(window.size).toBe(minGroupsInFlight)
    process.busyShare = 0.3
    confirm(settled, 12, minuteMs)
    expect(window.size).toBe(maxGroupsInFlight)
  })
})

test('whatever the confirm times, the window is a whole number of groups from the least to the most, and adapts both ways', () => {
  const step = fc.record({
    times: fc.integer({ min: 1, max: 50 }),
    afterMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
    everyMs: fc.constantFrom(0, 1, 1_000, minuteMs),
    busyShare: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.double({ min: 0.1, max: 1_000, noNaN: true }),
      (steps, baseMs) => {
        const { window, process, confirm } = createWindow()
        for (const { times, afterMs, everyMs, busyShare } of steps) {
          process.busyShare = busyShare
          confirm(times, afterMs, everyMs)
          expect(Number.isInteger(window.size)).toBe(true)
          expect(window.size).toBeGreaterThanOrEqual(minGroupsInFlight)
          expect(window.size).toBeLessThanOrEqual(maxGroupsInFlight)
        }
        // Whatever it has seen: at rest it learns the broker's pace anew, and opens; then it closes for one that is slower.
        process.busyShare = 0
        confirm(settled, baseMs, minuteMs)
        expect(window.size).toBe(maxGroupsInFlight)
        confirm(settled, baseMs * 8)
        expect(window.size).toBe(minGroupsInFlight)
      },
    ),
    { numRuns: 200 },
  )
})
