import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ColumnScratch, decodeColumn, decodeVisitors, encodeColumn, encodeVisitors, maxPartRows } from '../column.ts'

const scratch = new ColumnScratch()

function roundTrip(rowIds: readonly number[], isSorted: boolean): number[] {
  const ids = [...new Set(rowIds)]
  const positions = Uint16Array.from(rowIds, (id) => ids.indexOf(id))
  const column = encodeColumn({ rows: rowIds.length, ids: Uint32Array.from(ids), positions }, isSorted)
  const decoded = decodeColumn(column, scratch)
  expect(decoded.rows).toBe(rowIds.length)
  expect([...decoded.ids]).toEqual(ids)
  return Array.from(decoded.positions.subarray(0, decoded.rows), (position) => decoded.ids[position] as number)
}

test('a column returns the ids that were encoded, however many different ones there are', () => {
  const rows = fc
    .integer({ min: 1, max: 700 })
    .chain((different) => fc.array(fc.nat({ max: different - 1 }), { minLength: 1, maxLength: 1_000 }))
  fc.assert(
    fc.property(rows, (ids) => {
      expect(roundTrip(ids, false)).toEqual(ids)
      const sorted = ids.toSorted((a, b) => a - b)
      expect(roundTrip(sorted, true)).toEqual(sorted)
    }),
  )
})

test('a full part with 65,536 different ids fits', () => {
  const rows = maxPartRows
  const ids = Uint32Array.from({ length: rows }, (_, index) => 100_000 - index)
  const positions = Uint16Array.from({ length: rows }, (_, index) => rows - 1 - index)
  const decoded = decodeColumn(encodeColumn({ rows, ids, positions }), scratch)
  expect(decoded.ids).toEqual(ids)
  expect(decoded.positions.subarray(0, rows)).toEqual(positions)
  const one = encodeColumn({ rows, ids: Uint32Array.of(7), positions: new Uint16Array(rows) }, true)
  expect(decodeColumn(one, scratch).positions.every((position) => position === 0)).toBe(true)
})

test('a column takes as few bits as its number of ids needs', () => {
  const bytesPer1024 = (different: number) => {
    const positions = Uint16Array.from({ length: 1_024 }, (_, row) => row % different)
    const ids = Uint32Array.from({ length: different }, (_, id) => id)
    return encodeColumn({ rows: 1_024, ids, positions }).length - 8 - 4 * different
  }
  expect([1, 2, 3, 4, 5, 16, 17, 256, 257].map(bytesPer1024)).toEqual([0, 128, 256, 256, 512, 512, 1_024, 1_024, 2_048])
})

test('bytes that are no column are refused', () => {
  const column = encodeColumn({ rows: 3, ids: Uint32Array.of(1, 2), positions: Uint16Array.of(0, 1, 0) })
  expect(() => decodeColumn(column.subarray(0, -1), scratch)).toThrow(RangeError)
  expect(() => decodeColumn(Buffer.concat([column, Buffer.of(0)]), scratch)).toThrow(RangeError)
  expect(() => decodeColumn(Buffer.alloc(0), scratch)).toThrow(RangeError)
})

test('visitors return as they were, and -1 for none', () => {
  const visitors = Int32Array.of(-1, 0, 1, 2 ** 31 - 1, -1)
  const decoded = new Int32Array(5)
  decodeVisitors(encodeVisitors(visitors), decoded)
  expect(decoded).toEqual(visitors)
})
