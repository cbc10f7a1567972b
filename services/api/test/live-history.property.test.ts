import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventsOf } from '../live/live-events.ts'
import { type LiveEntry, LiveHistory, positionText, readPosition } from '../live/live-history.ts'
import { createLiveClick } from './live-under-test.ts'

const filter = { projectId: 1, targets: undefined }
const idsIn = (events: string) => [...events.matchAll(/^id: (.*)$/gm)].map(([, id]) => id as string)

/** Messages at following offsets; the clicks of some belong to another project. */
const entries = fc
  .array(
    fc.record({
      hasGap: fc.boolean(),
      clicks: fc.array(
        fc.integer({ min: 1, max: 2 }).map((projectId) => createLiveClick({ projectId })),
        { maxLength: 4 },
      ),
    }),
    { minLength: 1, maxLength: 20 },
  )
  .map((messages) => messages.map((message, offset): LiveEntry => ({ ...message, offset, sentAtMs: 1_000 + offset })))

test('whichever event a viewer has seen last, it resumes with exactly the events after it', () => {
  fc.assert(
    fc.property(entries, (all) => {
      const history = new LiveHistory()
      for (const entry of all) history.add(entry)
      const slices = all.map((entry) => ({ entry, from: 0, hasGap: entry.hasGap }))
      const ids = idsIn(eventsOf(slices, filter, 1_000))
      for (const [index, id] of ids.entries()) {
        const after = history.after(readPosition(id) ?? { offset: -1, sentAtMs: -1, clicks: -1 })
        expect(idsIn(eventsOf(after ?? [], filter, 1_000))).toEqual(ids.slice(index + 1))
      }
      const end = history.end as NonNullable<typeof history.end>
      expect(readPosition(positionText(end))).toEqual(end)
      expect(eventsOf(history.after(end) ?? [], filter, 1_000)).toBe('')
    }),
  )
})

test('nobody resumes in another stream, or before what is kept', () => {
  const history = new LiveHistory()
  const add = (offset: number, sentAtMs: number, clicks = 1) =>
    history.add({ offset, sentAtMs, hasGap: false, clicks: Array.from({ length: clicks }, () => createLiveClick()) })
  add(7, 1_000)
  add(8, 2_000)
  expect(history.after({ offset: 7, sentAtMs: 1_000, clicks: 1 })).toHaveLength(2)
  expect(history.after({ offset: 7, sentAtMs: 999, clicks: 1 })).toBeUndefined()
  expect(history.after({ offset: 7, sentAtMs: 1_000, clicks: 2 })).toBeUndefined()
  add(9, 122_001)
  expect(history.after({ offset: 7, sentAtMs: 1_000, clicks: 1 })).toBeUndefined()
  expect(history.after({ offset: 8, sentAtMs: 2_000, clicks: 1 })).toBeUndefined()
  add(10, 122_002, 100_000)
  expect(history.after({ offset: 9, sentAtMs: 122_001, clicks: 1 })).toBeUndefined()
  expect(history.after({ offset: 10, sentAtMs: 122_002, clicks: 99_999 })).toHaveLength(1)
  // The offsets begin again.
  add(3, 122_003)
  expect(history.after({ offset: 10, sentAtMs: 122_002, clicks: 1 })).toBeUndefined()
  expect(history.end).toEqual({ offset: 3, sentAtMs: 122_003, clicks: 1 })
})
