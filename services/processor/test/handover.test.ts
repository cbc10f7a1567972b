import { expect, test } from 'vitest'
import { Handover } from '../progress/handover.ts'

const allEmpty = { freshDeliveries: 0, isClicksEmpty: true, isSuspectEmpty: true, isDeadEmpty: true }

/** A handover that has seen all queues empty and only waits for the reports of the others. */
function waitingForReports(reports: ReadonlyMap<string, number>): Handover {
  const handover = new Handover([], 0, 0)
  handover.observed({ begunAtMs: 2_000, ...allEmpty })
  handover.reported(reports, 2_100)
  return handover
}

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
  handover.observed({ begunAtMs: 4_199, ...allEmpty })
  handover.reported(new Map(), 4_210)
  expect(handover.isDone).toBe(false)
  handover.observed({ begunAtMs: 4_200, ...allEmpty })
  handover.reported(new Map(), 4_300)
  expect(handover.isDone).toBe(true)
})

test('a handover looks again if a process loses its row to another one and creates a new row, whose reports begin at 0', () => {
  const handover = waitingForReports(new Map([['a', 100_000]]))
  handover.reported(new Map([['a', 1]]), 2_200)
  expect(handover.isObserving).toBe(true)
  handover.observed({ begunAtMs: 4_200, ...allEmpty })
  handover.reported(new Map([['a', 8]]), 4_300)
  handover.reported(new Map([['a', 10]]), 4_800)
  expect(handover.isDone).toBe(true)
})
