import type { StampedChannel } from '@clicktally/broker/stamped-channel.ts'
import { expect, test } from 'vitest'
import { ConfirmWatchdog } from '../publishing/confirm-watchdog.ts'

const newChannel = () => ({ confirmed: 0, hasPending: true, wasLastRefused: false })
type FakeChannel = ReturnType<typeof newChannel>

/** A watchdog that is asked ten times a second. */
function watching() {
  const watchdog = new ConfirmWatchdog([2_000, 1_000, 4_000])
  let nowMs = 0
  /** The time until it is reached, and the limit that it returns. */
  return (channel: FakeChannel, forMs: number) => {
    for (let passedMs = 0; passedMs <= forMs; passedMs += 100) {
      nowMs += 100
      const limitMs = watchdog.check(channel as unknown as StampedChannel, nowMs)
      if (limitMs !== undefined) return { passedMs, limitMs }
    }
    return undefined
  }
}

test('each limit that is reached is followed by the next one, and the last remains', () => {
  const watch = watching()
  const limits = [1, 2, 3, 4].map(() => watch(newChannel(), 10_000)?.limitMs)
  expect(limits).toEqual([2_000, 1_000, 4_000, 4_000])
})

test('a confirm restores the first limit, and starts the time again', () => {
  const watch = watching()
  expect(watch(newChannel(), 10_000)).toEqual({ passedMs: 2_100, limitMs: 2_000 })
  const channel = newChannel()
  expect(watch(channel, 500)).toBeUndefined()
  channel.confirmed += 1
  expect(watch(channel, 10_000)).toEqual({ passedMs: 2_100, limitMs: 2_000 })
})

test('a new channel that has confirmed something before it is first seen restores it as well', () => {
  const watch = watching()
  watch(newChannel(), 10_000)
  const channel = { ...newChannel(), confirmed: 1 }
  expect(watch(channel, 10_000)).toEqual({ passedMs: 2_100, limitMs: 2_000 })
})

test('without messages that wait or were refused, no time passes', () => {
  const watch = watching()
  const channel = { ...newChannel(), hasPending: false }
  expect(watch(channel, 10_000)).toBeUndefined()
  channel.wasLastRefused = true
  expect(watch(channel, 10_000)).toEqual({ passedMs: 2_000, limitMs: 2_000 })
})
