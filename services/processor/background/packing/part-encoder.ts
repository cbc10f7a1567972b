import type { ClickRows, ValueColumn } from '@clicktally/columns/click-rows.ts'
import { encodeColumn, encodeVisitors } from '@clicktally/columns/column.ts'
import { type Dimension, targetDimension } from '@clicktally/dimensions/dimensions.ts'

/** Columns of a part by the name of their dimension, or `minute`, `bot`, `visitor`. Those without any value are left out,
 * except for props. */
export type Part = ReadonlyMap<string, Buffer>

/** Returns the ids of values of a dimension, in the same order. */
export type IdsOf = (dimension: string, values: readonly string[]) => Promise<readonly number[]>

/**
 * Encodes clicks of one hour as columns, sorted by target.
 *
 * @param rows at most `maxPartRows`
 * @param hourMinute the hour, in minutes since 1970
 */
export async function encodePart(
  rows: ClickRows,
  hourMinute: number,
  dimensions: readonly Dimension[],
  idsOf: IdsOf,
): Promise<Part> {
  const part = new Map<string, Buffer>()
  const columns = rows.valuesOf([targetDimension, ...dimensions])
  const targets = columns.get('target') as ValueColumn
  const targetIds = await idsOf('target', targets.values)
  const order = orderOf(targets, targetIds)
  part.set('target', encodeIds(targets.positions, targetIds, order, true))
  for (const dimension of dimensions) {
    const { values, positions } = columns.get(dimension.name) as ValueColumn
    // An hour without the column of a prop was packed before the prop was declared.
    if (dimension.sources[0] !== 'props' && values.every((value) => value === '')) continue
    part.set(dimension.name, encodeIds(positions, await idsOf(dimension.name, values), order))
    // A column of a full part takes a millisecond: messages are processed in between.
    await new Promise(setImmediate)
  }
  const minuteIds = Array.from({ length: 60 }, (_, minute) => minute)
  const minutes = rows.minutes.map((minute) => minute - hourMinute)
  part.set('minute', encodeIds(minutes, minuteIds, order))
  if (rows.bots.includes(1)) part.set('bot', encodeIds(rows.bots, [0, 1], order))
  const visitors = new Int32Array(order.length)
  const unordered = rows.visitors
  for (let row = 0; row < order.length; row += 1) visitors[row] = unordered[order[row] as number] as number
  if (visitors.some((hash) => hash !== -1)) part.set('visitor', encodeVisitors(visitors))
  return part
}

/** The rows in the order of their targets: a counting sort. */
function orderOf({ positions }: ValueColumn, ids: readonly number[]): Uint32Array {
  // Several targets without an id of their own have the same one, and are one run.
  const runOfId = new Map<number, number>()
  const runs = Uint32Array.from(ids, (id) => {
    const run = runOfId.get(id) ?? runOfId.size
    runOfId.set(id, run)
    return run
  })
  const starts = new Uint32Array(runOfId.size + 1)
  for (let row = 0; row < positions.length; row += 1) {
    const run = runs[positions[row] as number] as number
    starts[run + 1] = (starts[run + 1] as number) + 1
  }
  for (let run = 0; run < runOfId.size; run += 1) (starts[run + 1] as number) += starts[run] as number
  const order = new Uint32Array(positions.length)
  for (let row = 0; row < positions.length; row += 1) {
    const run = runs[positions[row] as number] as number
    const at = starts[run] as number
    starts[run] = at + 1
    order[at] = row
  }
  return order
}

/** @param ids of the positions; some may be the same */
function encodeIds(positions: ArrayLike<number>, ids: readonly number[], order: Uint32Array, isSorted = false): Buffer {
  const distinct: number[] = []
  const positionOfId = new Map<number, number>()
  // In the order of the rows, with the ids that occur.
  const newPosition = new Int32Array(ids.length).fill(-1)
  const encoded = new Uint16Array(order.length)
  for (let row = 0; row < order.length; row += 1) {
    const position = positions[order[row] as number] as number
    let found = newPosition[position] as number
    if (found === -1) {
      const id = ids[position] as number
      found = positionOfId.get(id) ?? distinct.push(id) - 1
      positionOfId.set(id, found)
      newPosition[position] = found
    }
    encoded[row] = found
  }
  return encodeColumn({ rows: order.length, ids: Uint32Array.from(distinct), positions: encoded }, isSorted)
}
