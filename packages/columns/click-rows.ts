import type { DimensionSource } from '@clicktally/dimensions/dimensions.ts'
import type { ClickTexts } from './click-texts.ts'
import type { TextDictionary } from './text-dictionary.ts'

/** The columns of clicks that dimensions are read from. */
export const dimensionSources = ['target', 'url', 'referrer', 'country', 'agent', 'props'] as const

const microsecondsPerMinute = 60_000_000
/** Minutes between 1970 and 2000, PostgreSQL's epoch. */
const postgresEpochMinute = 15_778_080
const firstCapacity = 1_024

/** Raw clicks of one project, at most 65,536, read from rows of a binary COPY. */
export class ClickRows {
  readonly #sources: readonly SourceColumn[]
  #minutes = new Int32Array(firstCapacity)
  #bots = new Uint8Array(firstCapacity)
  #visitors = new Int32Array(firstCapacity)
  #size = 0

  /**
   * @param sources of each row, in this order, as texts behind (occurred_at, bot, visitor)
   * @param texts gets their texts
   */
  constructor(sources: readonly DimensionSource[], texts: ClickTexts) {
    this.#sources = sources.map((source) => new SourceColumn(source, texts.dictionaryOf(source)))
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

  /** The numbers of a source's texts in its dictionary; 0 for none. */
  numbersOf(source: DimensionSource): Uint32Array {
    const column = this.#sources.find((each) => each.source === source)
    if (column === undefined) throw new RangeError(`the clicks were read without ${source}`)
    return column.numbers.subarray(0, this.#size)
  }

  /** @param at where the fields of the row begin, see CopyOut */
  add(bytes: Buffer, at: number): void {
    const row = this.#size
    if (row === this.#minutes.length) this.#grow()
    this.#minutes[row] = minuteOf(bytes, at)
    this.#bots[row] = bytes[at + 16] as number
    const hasVisitor = bytes[at + 17] === 0
    this.#visitors[row] = hasVisitor ? int32(bytes, at + 21) : -1
    let field = at + (hasVisitor ? 25 : 21)
    for (const { numbers, dictionary } of this.#sources) {
      const length = int32(bytes, field)
      const from = field + 4
      field = length < 0 ? from : from + length
      numbers[row] = length < 0 ? 0 : dictionary.numberOf(bytes, from, field)
    }
    this.#size += 1
  }

  #grow(): void {
    const capacity = 2 * this.#minutes.length
    this.#minutes = grown(this.#minutes, new Int32Array(capacity))
    this.#bots = grown(this.#bots, new Uint8Array(capacity))
    this.#visitors = grown(this.#visitors, new Int32Array(capacity))
    for (const column of this.#sources) column.numbers = grown(column.numbers, new Uint32Array(capacity))
  }
}

/** The hour of a row in hours since 1970. @param at where the fields of the row begin */
export function hourOf(bytes: Buffer, at: number): number {
  return Math.floor(minuteOf(bytes, at) / 60)
}

/** The minute of a row's first field, a timestamptz, in minutes since 1970. @param at where the fields of the row begin */
export function minuteOf(bytes: Buffer, at: number): number {
  const microseconds = int32(bytes, at + 4) * 0x1_0000_0000 + (int32(bytes, at + 8) >>> 0)
  return Math.floor(microseconds / microsecondsPerMinute) + postgresEpochMinute
}

class SourceColumn {
  readonly source: DimensionSource
  readonly dictionary: TextDictionary
  numbers = new Uint32Array(firstCapacity)

  constructor(source: DimensionSource, dictionary: TextDictionary) {
    this.source = source
    this.dictionary = dictionary
  }
}

/** Big-endian. The method of Buffer takes three times as long. */
function int32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

function grown<Numbers extends Int32Array | Uint32Array | Uint8Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from)
  return to
}
