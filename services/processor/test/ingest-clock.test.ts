import { beforeEach, describe, expect, test } from 'vitest'
import { IngestClock } from '../ingest-clock.ts'

const hourMs = 3_600_000
/** What ingests would say. */
let trueMs = 1_800_000_000_000
let hostErrorMs = 0
let monotonicMs = 5_000

function pass(ms: number): void {
  trueMs += ms
  monotonicMs += ms
}

const createClock = () =>
  new IngestClock(
    () => trueMs + hostErrorMs,
    () => monotonicMs,
  )

/** A message that was received just now, or so long ago, and was delivered at once. */
function deliver(clock: IngestClock, ageMs = 20, ingestErrorMs = 0): void {
  const waitedAtMostMs = 250
  clock.observe({ receivedAtMs: trueMs - ageMs + ingestErrorMs, arrivedAtMs: clock.hostMs(), waitedAtMostMs })
}

const aheadMs = (clock: IngestClock) => clock.nowMs() - trueMs

describe('the clock of the ingests, as a processor knows it', () => {
  beforeEach(() => {
    hostErrorMs = 0
  })

  test('is the clock of the host where that agrees with the messages', () => {
    const clock = createClock()
    deliver(clock)
    pass(hourMs)
    expect(aheadMs(clock)).toBe(0)
  })

  test.each([hourMs, -hourMs])('is right to within the age of a message on a host that is off by %i ms', (errorMs) => {
    hostErrorMs = errorMs
    const clock = createClock()
    deliver(clock)
    pass(hourMs)
    expect(aheadMs(clock)).toBeLessThanOrEqual(0)
    expect(aheadMs(clock)).toBeGreaterThanOrEqual(-20)
  })

  test('does not follow a host that is set forward and back', () => {
    const clock = createClock()
    hostErrorMs = hourMs
    pass(1_000)
    expect(aheadMs(clock)).toBe(0)
    hostErrorMs = 0
    pass(1_000)
    expect(aheadMs(clock)).toBe(0)
  })

  test('is behind while a host is set back, and right again with the next message', () => {
    const clock = createClock()
    hostErrorMs = -hourMs
    expect(aheadMs(clock)).toBe(-hourMs)
    deliver(clock)
    expect(aheadMs(clock)).toBe(-20)
  })

  test('follows an ingest whose clock is ahead only until another message disagrees', () => {
    const clock = createClock()
    deliver(clock, 20, hourMs)
    expect(aheadMs(clock)).toBe(hourMs - 20)
    deliver(clock)
    expect(aheadMs(clock)).toBe(0)
    deliver(clock, 20, hourMs)
    expect(aheadMs(clock)).toBe(0)
  })

  test('takes a message that may have waited in the queue for no sign of a wrong clock', () => {
    const clock = createClock()
    clock.observe({ receivedAtMs: trueMs - hourMs, arrivedAtMs: clock.hostMs(), waitedAtMostMs: undefined })
    clock.observe({ receivedAtMs: trueMs - hourMs, arrivedAtMs: clock.hostMs(), waitedAtMostMs: hourMs })
    expect(aheadMs(clock)).toBe(0)
  })
})
