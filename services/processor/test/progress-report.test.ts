import { pino } from 'pino'
import { expect, test } from 'vitest'
import { ProgressReport } from '../progress/progress-report.ts'
import type { OtherProgress, Progress } from '../progress/progress-table.ts'
import type { View, WatchedConsumer } from '../progress/watched-consumers.ts'

const countedThroughMs = 2_000
const view: View = {
  ...{ isFenced: true, isEmpty: true, countedThroughMs },
  ...{ freshDeliveries: 0, returnedDeliveries: 0, holdsReturned: false },
}
const consumer: WatchedConsumer = { look: async () => view, release() {}, isConnectionDropped: async () => true }

test('a connection that is announced during a takeover does not raise the row above the time that is taken over', async () => {
  const gone: OtherProgress = { processor: 'gone', reports: 7, connections: ['its connection'] }
  const written: number[] = []
  const asked = Promise.withResolvers<void>()
  const taken = Promise.withResolvers<number>()
  let nowMs = 0
  const report = new ProgressReport({
    logger: pino({ level: 'silent' }),
    monotonicMs: () => nowMs,
    table: {
      async write({ countedThroughMs: ms }: Progress) {
        written.push(ms)
        return ms
      },
      readOthers: async () => [gone],
      async takeOver() {
        asked.resolve()
        return await taken.promise
      },
    },
  })
  await report.announce('first')
  const consumers = { clicks: consumer, suspect: consumer, dead: consumer }
  await report.report(consumers)
  expect(written.at(-1)).toBe(countedThroughMs)
  // Silent for long enough.
  nowMs = 10_000
  const reporting = report.report(consumers)
  await asked.promise
  const announcing = report.announce('second')
  const heldMs = 1_000
  taken.resolve(heldMs)
  await Promise.all([reporting, announcing])
  expect(written.at(-1)).toBe(heldMs)
})
