import { beforeEach, describe, expect, test } from 'vitest'
import { IngestClock } from '../progress/ingest-clock.ts'

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
function deliver(clock: IngestClock, ageMs = 20, ingestErrorMs = 0, producer = 'ingest'): void {
  const waitedAtMostMs = 250
  clock.observe({ producer, receivedAtMs: trueMs - ageMs + ingestErrorMs, arrivedAtMs: clock.hostMs(), waitedAtMostMs })
}

const aheadMs = (clock: IngestClock) => clock.nowMs() - trueMs

describe('the estimate of the ingest clock', () => {
  beforeEach(() => {
    hostErrorMs = 0
  })

  test('is the clock of the host if messages agree with it', () => {
    const clock = createClock()
    deliver(clock)
    pass(hourMs)
    expect(aheadMs(clock)).toBe(0)
  })

  test.each([hourMs, -hourMs])('is accurate to the age of a message on a host that is off by %i ms', (errorMs) => {
    hostErrorMs = errorMs
    const clock = createClock()
    deliver(clock)
    pass(hourMs)
    expect(aheadMs(clock)).toBeLessThanOrEqual(0)
    expect(aheadMs(clock)).toBeGreaterThanOrEqual(-20)
  })

  test('does not follow a host clock that is set forward and back', () => {
    const clock = createClock()
    hostErrorMs = hourMs
    pass(1_000)
    expect(aheadMs(clock)).toBe(0)
    hostErrorMs = 0
    pass(1_000)
    expect(aheadMs(clock)).toBe(0)
  })

  test('is behind while a host clock is set back, until the next message', () => {
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

  test('is not that of an ingest ahead while a correct one is restarted, but for at most 10 minutes', () => {
    const clock = createClock()
    deliver(clock)
    for (let second = 0; second < 590; second += 1) {
      pass(1_000)
      deliver(clock, 20, hourMs, 'ahead')
      expect(aheadMs(clock)).toBeLessThanOrEqual(0)
    }
    pass(20_000)
    deliver(clock, 20, hourMs, 'ahead')
    expect(aheadMs(clock)).toBe(hourMs - 20)
    deliver(clock, 20, 0, 'restarted')
    expect(aheadMs(clock)).toBe(0)
  })

  test('forgets the producers that were silent longest', () => {
    const clock = createClock()
    deliver(clock)
    for (let each = 0; each < 255; each += 1) deliver(clock, 20, hourMs, `ahead-${each}`)
    expect(aheadMs(clock)).toBe(0)
    deliver(clock, 20, hourMs, 'ahead-255')
    expect(aheadMs(clock)).toBe(hourMs - 20)
  })

  test('does not conclude a wrong clock from a message that may have waited in the queue', () => {
    const clock = createClock()
    const producer = 'ingest'
    clock.observe({ producer, receivedAtMs: trueMs - hourMs, arrivedAtMs: clock.hostMs(), waitedAtMostMs: undefined })
    clock.observe({ producer, receivedAtMs: trueMs - hourMs, arrivedAtMs: clock.hostMs(), waitedAtMostMs: hourMs })
    expect(aheadMs(clock)).toBe(0)
  })
})
