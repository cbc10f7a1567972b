import type { ClickRows } from '@clicktally/columns/click-rows.ts'
import { encodeColumn, encodeVisitors, type IdColumn, maxPartRows } from '@clicktally/columns/column.ts'
import { maxDimensionIds, noValueId, otherId } from '@clicktally/columns/dimension-ids.ts'
import type { PoolClient } from 'pg'
import type { ProjectValues } from './project-values.ts'

/** Columns of a part by the name of their dimension, or `minute`, `bot`, `visitor`. Those without any value are left out,
 * except for props. */
export type Part = ReadonlyMap<string, Buffer>

const minutesOfHour = Array.from({ length: 60 }, (_, minute) => minute)
/** A column of so many clicks takes about half a millisecond: messages are processed in between. */
const manyClicks = 16_384

/**
 * Encodes clicks of one hour as columns, sorted by target.
 *
 * @param client in a transaction, which adds the ids of new values
 * @param rows of the project, with its texts; at most `maxPartRows`
 * @param hourMinute the hour, in minutes since 1970
 */
export async function encodePart(
  client: PoolClient,
  project: ProjectValues,
  rows: ClickRows,
  hourMinute: number,
): Promise<Part> {
  const part = new Map<string, Buffer>()
  let order: Uint32Array | undefined
  for (const { name, sources } of project.dimensions) {
    const { values, indexes } = project.texts.columnOf(name, rows)
    const ids = await project.idsOf(client, name, values)
    if (order === undefined) {
      // The first one is the target.
      order = orderOf(distinctIds(indexes, ids))
      part.set(name, encodeColumn(distinctIds(indexes, ids, order), true))
      continue
    }
    const column = distinctIds(indexes, ids, order)
    // An hour without the column of a prop was packed before the prop was declared.
    if (sources[0] === 'props' || column.ids.length > 1 || column.ids[0] !== noValueId) {
      part.set(name, encodeColumn(column))
    }
    if (rows.size > manyClicks) await new Promise(setImmediate)
  }
  if (order === undefined) throw new RangeError('a project has no dimensions')
  const minutes = rows.minutes.map((minute) => minute - hourMinute)
  part.set('minute', encodeColumn(distinctIds(minutes, minutesOfHour, order)))
  if (rows.bots.includes(1)) part.set('bot', encodeColumn(distinctIds(rows.bots, [0, 1], order)))
  const visitors = new Int32Array(order.length)
  const unordered = rows.visitors
  for (let row = 0; row < order.length; row += 1) visitors[row] = unordered[order[row] as number] as number
  if (visitors.some((hash) => hash !== -1)) part.set('visitor', encodeVisitors(visitors))
  return part
}

/** Rows sorted by the position of their id: a counting sort. */
function orderOf({ ids, positions }: IdColumn): Uint32Array {
  const starts = new Uint32Array(ids.length + 1)
  for (let row = 0; row < positions.length; row += 1) {
    const next = (positions[row] as number) + 1
    starts[next] = (starts[next] as number) + 1
  }
  for (let position = 0; position < ids.length; position += 1)
    starts[position + 1] = (starts[position + 1] as number) + (starts[position] as number)
  const order = new Uint32Array(positions.length)
  for (let row = 0; row < positions.length; row += 1) {
    const position = positions[row] as number
    const at = starts[position] as number
    starts[position] = at + 1
    order[at] = row
  }
  return order
}

/** Reused for each column: allocating them anew made the engine collect garbage for a quarter of the time. */
const positionsOfRows = new Uint16Array(maxPartRows)
/** The position plus 1 of each id in the column that is being encoded; 0 for none. */
const positionOfId = new Int32Array(maxDimensionIds + otherId + 1)

/**
 * The different ids of a column, in the order of the rows, and their positions, which are valid until the next call.
 *
 * @param ids of the values to which the indexes refer; several values may have the same one
 * @param order of the rows; as they are by default
 */
function distinctIds(indexes: ArrayLike<number>, ids: readonly number[], order?: Uint32Array): IdColumn {
  const distinct: number[] = []
  const positions = positionsOfRows.subarray(0, indexes.length)
  for (let row = 0; row < indexes.length; row += 1) {
    const id = ids[indexes[order === undefined ? row : (order[row] as number)] as number] as number
    let position = positionOfId[id] as number
    if (position === 0) {
      position = distinct.push(id)
      positionOfId[id] = position
    }
    positions[row] = position - 1
  }
  for (const id of distinct) positionOfId[id] = 0
  return { rows: indexes.length, ids: Uint32Array.from(distinct), positions }
}
