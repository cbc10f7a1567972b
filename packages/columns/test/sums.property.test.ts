import fc from 'fast-check'
import { expect, test } from 'vitest'
import { GroupCounts } from '../group-counts.ts'
import { addSums, encodeSums } from '../sums.ts'

const number = fc.oneof(fc.nat({ max: 300 }), fc.nat(), fc.maxSafeNat())
const entries = fc.dictionary(fc.nat({ max: 100_001 }).map(String), fc.tuple(number, number))

function countsOf(groups: Readonly<Record<string, readonly [number, number]>>): GroupCounts {
  const counts = new GroupCounts()
  for (const [id, [total, bots]] of Object.entries(groups)) counts.addTo(Number(id), total, bots)
  return counts
}

test('sums return as they were encoded, and are added to those that are there', () => {
  fc.assert(
    fc.property(entries, (groups) => {
      const decoded = new GroupCounts()
      addSums(encodeSums(countsOf(groups)), decoded)
      expect(decoded.counts).toEqual(countsOf(groups).counts)
    }),
  )
  const counts = countsOf({ 7: [1, 2] })
  addSums(encodeSums(countsOf({ 7: [3, 4], 9: [5, 6] })), counts)
  expect(counts.counts).toEqual(countsOf({ 7: [4, 6], 9: [5, 6] }).counts)
})

test('bytes that are no sums are refused', () => {
  const bytes = encodeSums(countsOf({ 7: [300, 2] }))
  expect(() => addSums(bytes.subarray(0, -1), new GroupCounts())).toThrow(RangeError)
})
