import type { Dimension, DimensionRow, DimensionSource } from '@clicktally/dimensions/dimensions.ts'
import { maxPartRows } from './column.ts'

/** The columns of clicks that dimensions are read from. */
export const dimensionSources = ['target', 'url', 'referrer', 'country', 'agent', 'props'] as const

const microsecondsPerMinute = 60_000_000
/** Minutes between 1970 and 2000, PostgreSQL's epoch. */
const postgresEpochMinute = 15_778_080

/** Values of a dimension, each different, and for each click the position of its value. `''` stands for no value. */
export interface ValueColumn {
  readonly values: readonly string[]
  readonly positions: Uint16Array
}

/**
 * Up to 65,536 raw clicks of one project, read from rows of a binary COPY. Equal bytes are stored and later parsed once: most clicks have a
 * URL, referrer, agent and country that an earlier one had.
 */
export class ClickRows {
  readonly #sources: ReadonlyMap<DimensionSource, SourceColumn>
  #minutes = new Int32Array(1_024)
  #bots = new Uint8Array(1_024)
  #visitors = new Int32Array(1_024)
  #size = 0

  /** @param sources of each row, in this order, as texts behind (occurred_at, bot, visitor) */
  constructor(sources: readonly DimensionSource[]) {
    this.#sources = new Map(sources.map((source) => [source, new SourceColumn()]))
  }

  get size(): number {
    return this.#size
  }

  /** Minutes since 1970. */
  get minutes(): Int32Array {
    return this.#minutes.subarray(0, this.#size)
  }

  /** 1 for bots. */
  get bots(): Uint8Array {
    return this.#bots.subarray(0, this.#size)
  }

  /** Hashes; -1 for none. */
  get visitors(): Int32Array {
    return this.#visitors.subarray(0, this.#size)
  }

  /** @param at where the fields of the row begin, see CopyOut */
  add(bytes: Buffer, at: number): void {
    const row = this.#size
    if (row === this.#minutes.length) this.#grow()
    // occurred_at: 8 bytes, microseconds since 2000.
    const microseconds = bytes.readInt32BE(at + 4) * 0x1_0000_0000 + bytes.readUInt32BE(at + 8)
    this.#minutes[row] = Math.floor(microseconds / microsecondsPerMinute) + postgresEpochMinute
    this.#bots[row] = bytes[at + 16] as number
    const hasVisitor = bytes[at + 17] === 0
    this.#visitors[row] = hasVisitor ? bytes.readInt32BE(at + 21) : -1
    let field = at + (hasVisitor ? 25 : 21)
    for (const column of this.#sources.values()) field = column.add(row, bytes, field)
    this.#size += 1
  }

  /**
   * The values of dimensions by their names; their sources must be among those given to the constructor. Dimensions of the same
   * sources are computed together, so that each different URL is parsed once for them.
   */
  valuesOf(dimensions: readonly Dimension[]): Map<string, ValueColumn> {
    const columns = new Map<string, ValueColumn>()
    for (const group of Map.groupBy(dimensions, ({ sources }) => sources.join()).values()) {
      const collectors = group.map((dimension) => new ValueCollector(dimension, this.#size))
      const [first, second] = (group[0] as Dimension).sources
      if (second === undefined) this.#collectOne(first, collectors)
      else this.#collectTwo(first, second, collectors)
      for (const { name, values, positions } of collectors) columns.set(name, { values, positions })
    }
    return columns
  }

  #collectOne(source: DimensionSource, collectors: readonly ValueCollector[]): void {
    const column = this.#columnOf(source)
    const { indexes } = column
    const firstRow = new Int32Array(column.size).fill(-1)
    for (let row = 0; row < this.#size; row += 1) {
      const index = indexes[row] as number
      const known = firstRow[index] as number
      if (known >= 0) for (const collector of collectors) collector.repeat(row, known)
      else {
        firstRow[index] = row
        const click = { target: '', [source]: column.valueAt(source, index) }
        for (const collector of collectors) collector.add(row, click)
      }
    }
  }

  #collectTwo(source: DimensionSource, other: DimensionSource, collectors: readonly ValueCollector[]): void {
    const [column, otherColumn] = [this.#columnOf(source), this.#columnOf(other)]
    // Equal pairs are next to each other in this order, and so are pairs with the same first text.
    const pairs = Float64Array.from({ length: this.#size }, (_, row) => {
      const pair = (column.indexes[row] as number) * otherColumn.size + (otherColumn.indexes[row] as number)
      return pair * maxPartRows + row
    }).sort()
    let [last, lastRow] = [-1, -1]
    for (const pairAndRow of pairs) {
      const row = pairAndRow % maxPartRows
      const pair = (pairAndRow - row) / maxPartRows
      if (pair === last) for (const collector of collectors) collector.repeat(row, lastRow)
      else {
        const index = Math.floor(pair / otherColumn.size)
        const click = {
          target: '',
          [source]: column.valueAt(source, index),
          [other]: otherColumn.valueAt(other, pair % otherColumn.size),
        }
        for (const collector of collectors) collector.add(row, click)
      }
      last = pair
      lastRow = row
    }
  }

  #columnOf(source: DimensionSource): SourceColumn {
    const column = this.#sources.get(source)
    if (column === undefined) throw new RangeError(`the rows have no ${source}`)
    return column
  }

  #grow(): void {
    const capacity = 2 * this.#minutes.length
    this.#minutes = grown(this.#minutes, new Int32Array(capacity))
    this.#bots = grown(this.#bots, new Uint8Array(capacity))
    this.#visitors = grown(this.#visitors, new Int32Array(capacity))
    for (const column of this.#sources.values()) column.grow(capacity)
  }
}

/** Collects the different values of a dimension. */
class ValueCollector {
  readonly name: string
  readonly values: string[] = []
  readonly positions: Uint16Array
  readonly #valueOf: Dimension['valueOf']
  readonly #positionOf = new Map<string, number>()

  constructor({ name, valueOf: read }: Dimension, rows: number) {
    this.name = name
    this.#valueOf = read
    this.positions = new Uint16Array(rows)
  }

  add(row: number, click: DimensionRow): void {
    const value = this.#valueOf(click) ?? ''
    let position = this.#positionOf.get(value)
    if (position === undefined) {
      position = this.values.push(value) - 1
      this.#positionOf.set(value, position)
    }
    this.positions[row] = position
  }

  /** The click has the same value as an earlier one. */
  repeat(row: number, earlier: number): void {
    this.positions[row] = this.positions[earlier] as number
  }
}

/** One column of texts, each different text once. */
class SourceColumn {
  indexes = new Uint32Array(1_024)
  /** Bytes as characters: half as expensive as decoding UTF-8, and equal exactly if the bytes are. */
  readonly #indexOf = new Map<string, number>()
  readonly #texts: (string | undefined)[] = [undefined]
  readonly #parsed: unknown[] = []

  get size(): number {
    return this.#texts.length
  }

  /** @returns where the next field begins */
  add(row: number, bytes: Buffer, at: number): number {
    const length = bytes.readInt32BE(at)
    if (length < 0) {
      this.indexes[row] = 0
      return at + 4
    }
    const end = at + 4 + length
    const key = bytes.toString('latin1', at + 4, end)
    let index = this.#indexOf.get(key)
    if (index === undefined) {
      index = this.#texts.length
      this.#texts.push(bytes.toString('utf8', at + 4, end))
      this.#indexOf.set(key, index)
    }
    this.indexes[row] = index
    return end
  }

  valueAt(source: DimensionSource, index: number): unknown {
    const text = this.#texts[index]
    if (source !== 'props' || text === undefined) return text
    // The binary form of jsonb is a version byte and the text.
    this.#parsed[index] ??= JSON.parse(text.slice(1))
    return this.#parsed[index]
  }

  grow(capacity: number): void {
    this.indexes = grown(this.indexes, new Uint32Array(capacity))
  }
}

function grown<Numbers extends Int32Array | Uint32Array | Uint8Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from)
  return to
}
