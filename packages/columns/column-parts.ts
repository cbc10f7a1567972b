import { CopyOut } from '@clicktally/database/copy-out.ts'
import { timestampText } from '@clicktally/database/timestamp-text.ts'
import { escapeLiteral, type PoolClient } from 'pg'
import { minuteOf } from './click-rows.ts'
import { ColumnScratch, decodeColumn, decodeVisitors, headerBytes, maxPartRows } from './column.ts'
import { noValueId } from './dimension-ids.ts'
import type { Part, PartColumn } from './part.ts'

export interface ColumnRange {
  readonly projectId: number
  /** Half-open times in milliseconds since 1970, or infinite. An hour is read if it begins in one of them. */
  readonly pieces: readonly { readonly fromMs: number; readonly toMs: number }[]
  /** Hours whose columns must not be used. */
  readonly except: readonly number[]
  /** Dimensions, `bot`, `visitor`. */
  readonly names: readonly string[]
  /** Hours whose minutes are read; the clicks of others are all of the first minute. */
  readonly minutesOf: readonly number[] | 'all'
}

const noValues = { ids: Uint32Array.of(noValueId), positions: new Uint8Array(maxPartRows) }
/** Always there, so that the number of clicks is known. */
const target = 'target'

/** Passes the parts of packed hours to a function, in the order of time. @throws the database error */
export async function readColumnParts(client: PoolClient, range: ColumnRange, onPart: (part: Part) => void) {
  if (range.pieces.length === 0) return
  const conditions = [
    `project_id = ${range.projectId}`,
    columnsOf(range),
    `(${range.pieces.map(within).join(' or ')})`,
    ...(range.except.length > 0 ? [`hour <> all (array[${range.except.map(hour).join(', ')}])`] : []),
  ]
  const part = new ColumnPart()
  let [current, at] = [Number.NaN, 0]
  const copy = new CopyOut(
    `copy (
       select hour, part, dimension, ${dataFor(range)} from click_columns
       where ${conditions.join(' and ')} order by project_id, hour, part
     ) to stdout (format binary)`,
    (bytes, start) => {
      const hourMinute = minuteOf(bytes, start)
      const number = bytes.readInt32BE(start + 16)
      const nameAt = start + 24
      const dataAt = nameAt + bytes.readInt32BE(nameAt - 4) + 4
      if (hourMinute !== current || number !== at) {
        if (!part.isEmpty) onPart(part)
        part.begin(hourMinute)
        current = hourMinute
        at = number
      }
      const data = bytes.subarray(dataAt, dataAt + bytes.readInt32BE(dataAt - 4))
      part.add(bytes.toString('utf8', nameAt, dataAt - 4), data)
    },
  )
  client.query(copy)
  await copy.done
  if (!part.isEmpty) onPart(part)
}

/** If targets are not in question, only the header of their column, which has the number of clicks. */
function dataFor({ names }: ColumnRange): string {
  return names.includes(target)
    ? 'data'
    : `case dimension when '${target}' then substr(data, 1, ${headerBytes}) else data end`
}

function columnsOf({ names, minutesOf }: ColumnRange): string {
  const always = [...new Set([target, ...names, ...(minutesOf === 'all' ? ['minute'] : [])])]
  const chosen = `dimension in (${always.map(escapeLiteral).join(', ')})`
  return minutesOf === 'all' || minutesOf.length === 0
    ? chosen
    : `(${chosen} or dimension = 'minute' and hour = any (array[${minutesOf.map(hour).join(', ')}]))`
}

function hour(ms: number): string {
  return `'${timestampText(ms)}'::timestamptz`
}

function within({ fromMs, toMs }: ColumnRange['pieces'][number]): string {
  const bounds = ['true']
  if (Number.isFinite(fromMs)) bounds.push(`hour >= ${hour(fromMs)}`)
  if (Number.isFinite(toMs)) bounds.push(`hour < ${hour(toMs)}`)
  return bounds.join(' and ')
}

/** Most parts have less; more memory is taken for those that have not. */
const firstContentBytes = 256 * 1024

class ColumnPart implements Part {
  /** The columns of the part. Used again for each part, because a scan would leave as much garbage as it reads. */
  #content = Buffer.allocUnsafeSlow(firstContentBytes)
  #contentBytes = 0
  readonly #columns = new Map<string, Buffer>()
  readonly #scratch = new Map<string, ColumnScratch>()
  readonly #bots = new Uint8Array(maxPartRows)
  readonly #visitors = new Int32Array(maxPartRows)
  #hourMinute = 0
  #rows: number | undefined

  begin(hourMinute: number): void {
    this.#hourMinute = hourMinute
    this.#rows = undefined
    this.#columns.clear()
    this.#contentBytes = 0
  }

  /** @param data valid only during the call */
  add(name: string, data: Buffer): void {
    const from = this.#contentBytes
    const to = from + data.length
    // Columns that were added before keep the memory that they are in.
    if (to > this.#content.length) {
      this.#content = Buffer.allocUnsafeSlow(2 * to)
    }
    data.copy(this.#content, from)
    this.#columns.set(name, this.#content.subarray(from, to))
    this.#contentBytes = to
  }

  get isEmpty(): boolean {
    return this.#columns.size === 0
  }

  get rows(): number {
    this.#rows ??= this.#columns.get(target)?.readUInt32LE(4) ?? 0
    return this.#rows
  }

  column(name: string): PartColumn {
    const data = this.#columns.get(name)
    if (data === undefined) return noValues
    let scratch = this.#scratch.get(name)
    if (scratch === undefined) {
      scratch = new ColumnScratch()
      this.#scratch.set(name, scratch)
    }
    return decodeColumn(data, scratch)
  }

  minutes(): PartColumn {
    const { ids, positions } = this.column('minute')
    return { ids: Uint32Array.from(ids, (minute) => this.#hourMinute + minute), positions }
  }

  bots(): Uint8Array {
    const { rows } = this
    const { ids, positions } = this.column('bot')
    const isAsStored = ids[0] === 0 && (ids.length === 1 || ids[1] === 1)
    if (isAsStored && positions instanceof Uint8Array) return positions
    if (ids.length === 1) this.#bots.fill(ids[0] as number, 0, rows)
    else for (let row = 0; row < rows; row += 1) this.#bots[row] = ids[positions[row] as number] as number
    return this.#bots
  }

  visitors(): Int32Array {
    const data = this.#columns.get('visitor')
    if (data === undefined) this.#visitors.fill(-1)
    else decodeVisitors(data, this.#visitors)
    return this.#visitors
  }
}
