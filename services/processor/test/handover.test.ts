import { expect, test } from 'vitest'
import { Handover } from '../progress/handover.ts'

const empty = { isFenced: true, freshDeliveries: 0, isEmpty: true }
const busy = { isFenced: true, freshDeliveries: 0, isEmpty: false }
const failed = { isFenced: false, freshDeliveries: 0, isEmpty: false }

/** Each queue proves at this time that it is empty. */
function seeEmpty(handover: Handover, ms: number): void {
  handover.observed({ begunAtMs: ms, endedAtMs: ms, clicks: empty, suspect: empty, dead: empty })
}

/** A handover that has seen all queues empty and only waits for the reports of the others. */
function waitingForReports(reports: ReadonlyMap<string, number>): Handover {
  const handover = new Handover([], 0, 0)
  seeEmpty(handover, 0)
  seeEmpty(handover, 2_000)
  handover.reported(reports, 2_100)
  return handover
}

test('a handover allows 2 s for requeueing, from when the queue has shown that it has a leader', () => {
  const handover = new Handover([], 0, 0)
  // Without a leader for 10 s.
  for (let ms = 0; ms < 10_000; ms += 5_000) {
    handover.observed({ begunAtMs: ms, endedAtMs: ms + 5_000, clicks: failed, suspect: empty, dead: empty })
  }
  seeEmpty(handover, 10_000)
  seeEmpty(handover, 11_999)
  handover.reported(new Map(), 11_999)
  expect(handover.isDone).toBe(false)
  seeEmpty(handover, 12_000)
  handover.reported(new Map(), 12_000)
  expect(handover.isDone).toBe(true)
})

test('a handover allows them again if the queue fails meanwhile', () => {
  const handover = new Handover([], 0, 0)
  seeEmpty(handover, 0)
  handover.observed({ begunAtMs: 2_000, endedAtMs: 7_000, clicks: failed, suspect: busy, dead: busy })
  seeEmpty(handover, 7_000)
  handover.reported(new Map(), 7_000)
  expect(handover.isDone).toBe(false)
  seeEmpty(handover, 9_000)
  handover.reported(new Map(), 9_000)
  expect(handover.isDone).toBe(true)
})

test('a handover counts a fresh delivery as a sign that the messages before it are delivered, but only in the queue of clicks', () => {
  const handover = new Handover([], 0, 0)
  let freshDeliveries = 0
  const see = (ms: number, others: typeof empty) => {
    freshDeliveries += 1
    handover.observed({
      begunAtMs: ms,
      endedAtMs: ms,
      clicks: { ...busy, freshDeliveries },
      suspect: others,
      dead: others,
    })
  }
  for (let ms = 0; ms < 10_000; ms += 250) see(ms, { ...busy, freshDeliveries: ms })
  handover.reported(new Map(), 10_000)
  expect(handover.isDone).toBe(false)
  see(10_000, empty)
  see(12_000, empty)
  handover.reported(new Map(), 12_000)
  expect(handover.isDone).toBe(true)
})

test('a handover waits for two reports of every other process, because the first may have begun before the queues were seen', () => {
  const handover = waitingForReports(
    new Map([
      ['a', 5],
      ['b', 9],
    ]),
  )
  handover.reported(
    new Map([
      ['a', 6],
      ['b', 11],
    ]),
    2_200,
  )
  expect(handover.isDone).toBe(false)
  handover.reported(
    new Map([
      ['a', 7],
      ['b', 11],
    ]),
    2_300,
  )
  expect(handover.isDone).toBe(true)
})

test('a handover looks again if a process disappears before its second report', () => {
  const handover = waitingForReports(new Map([['a', 5]]))
  handover.reported(new Map(), 2_200)
  expect(handover.isObserving).toBe(true)
  seeEmpty(handover, 2_200)
  seeEmpty(handover, 4_199)
  handover.reported(new Map(), 4_210)
  expect(handover.isDone).toBe(false)
  seeEmpty(handover, 4_200)
  handover.reported(new Map(), 4_300)
  expect(handover.isDone).toBe(true)
})

test('a handover looks again if a process loses its row to another one and creates a new row, whose reports begin at 0', () => {
  const handover = waitingForReports(new Map([['a', 100_000]]))
  handover.reported(new Map([['a', 1]]), 2_200)
  expect(handover.isObserving).toBe(true)
  seeEmpty(handover, 2_200)
  seeEmpty(handover, 4_200)
  handover.reported(new Map([['a', 8]]), 4_300)
  handover.reported(new Map([['a', 10]]), 4_800)
  expect(handover.isDone).toBe(true)
})
