import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GroupWindow, maxGroupsInFlight, minGroupsInFlight } from '../publishing/group-window.ts'

/** A window with a fake clock and a fake event loop utilization. */
function createWindow() {
  const process = { nowMs: 0, utilization: 0 }
  const window = new GroupWindow({ now: () => process.nowMs, utilization: () => process.utilization })
  const confirm = (times: number, confirmMs: number, everyMs = 0) => {
    for (let time = 0; time < times; time++) {
      process.nowMs += everyMs
      window.confirmed(confirmMs)
    }
  }
  return { window, process, confirm }
}

/** Enough confirms for the moving average to reach the latest confirm times, and for the base to be replaced. */
const settled = 100
const minuteMs = 60_000

describe('the window of groups in flight', () => {
  test('is open at the start, and while confirms stay fast', () => {
    const { window, confirm } = createWindow()
    expect(window.size).toBe(maxGroupsInFlight)
    confirm(settled, 2)
    expect(window.size).toBe(maxGroupsInFlight)
  })

  test('closes gradually as confirms get slower, to no less than two groups', () => {
    const { window, confirm } = createWindow()
    confirm(settled, 2)
    const sizes = [2.9, 4, 6, 12, 40, 4_000].map((confirmMs) => {
      confirm(settled, confirmMs)
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

  test('is not fully closed by a single stall, and is open a few confirms later', () => {
    const { window, confirm } = createWindow()
    confirm(settled, 2)
    confirm(1, 4_000)
    expect(window.size).toBeGreaterThan(minGroupsInFlight)
    confirm(8, 2)
    expect(window.size).toBe(maxGroupsInFlight)
  })

  test('opens when the broker itself has become slower and the process is not busy', () => {
    const { window, confirm } = createWindow()
    confirm(settled, 2)
    confirm(settled, 10, (2 * minuteMs) / settled)
    expect(window.size).toBe(maxGroupsInFlight)
  })

  test('stays closed for as long as confirms are slow and the process is busy', () => {
    const { window, process, confirm } = createWindow()
    confirm(settled, 2)
    process.utilization = 0.95
    confirm(settled, 12, minuteMs)
    expect(window.size).toBe(minGroupsInFlight)
    process.utilization = 0.3
    confirm(settled, 12, minuteMs)
    expect(window.size).toBe(maxGroupsInFlight)
  })
})

test('for any confirm times the window is an integer within its limits, and adapts in both directions', () => {
  const step = fc.record({
    times: fc.integer({ min: 1, max: 50 }),
    confirmMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
    everyMs: fc.constantFrom(0, 1, 1_000, minuteMs),
    utilization: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.double({ min: 0.1, max: 1_000, noNaN: true }),
      (steps, baseMs) => {
        const { window, process, confirm } = createWindow()
        for (const { times, confirmMs, everyMs, utilization } of steps) {
          process.utilization = utilization
          confirm(times, confirmMs, everyMs)
          expect(Number.isInteger(window.size)).toBe(true)
          expect(window.size).toBeGreaterThanOrEqual(minGroupsInFlight)
          expect(window.size).toBeLessThanOrEqual(maxGroupsInFlight)
        }
        // After any history: at rest it measures the base again and opens; when confirms get slower it closes.
        process.utilization = 0
        confirm(settled, baseMs, minuteMs)
        expect(window.size).toBe(maxGroupsInFlight)
        confirm(settled, baseMs * 8)
        expect(window.size).toBe(minGroupsInFlight)
      },
    ),
    { numRuns: 200 },
  )
})
