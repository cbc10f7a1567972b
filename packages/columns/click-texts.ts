import type { Dimension, DimensionRow, DimensionSource } from '@clicktally/dimensions/dimensions.ts'
import { TextDictionary } from './text-dictionary.ts'

/** Clicks, as the numbers of their texts in the dictionaries of ClickTexts. */
export interface TextNumbers {
  numbersOf(source: DimensionSource): Uint32Array
}

/** Values of a dimension, each different, and for each click the index of its value. `''` stands for no value. */
export interface ValueColumn {
  /** May contain values that none of the clicks has. */
  readonly values: readonly string[]
  readonly indexes: Uint32Array
}

/**
 * The different texts of clicks, and the values of dimensions that are read from them. Parts that share it, share the work: most clicks
 * have a URL, a referrer and an agent that earlier ones had.
 */
export class ClickTexts {
  readonly dimensions: readonly Dimension[]
  readonly #dictionaries = new Map<DimensionSource, TextDictionary>()
  readonly #groups: readonly DimensionGroup[]

  /** @param dimensions whose values are asked for */
  constructor(dimensions: readonly Dimension[]) {
    this.dimensions = dimensions
    this.#groups = [...Map.groupBy(dimensions, ({ sources }) => sources.join()).values()].map(
      (group) => new DimensionGroup(group, this),
    )
  }

  /** In memory, roughly. */
  get bytes(): number {
    return [...this.#dictionaries.values(), ...this.#groups].reduce((sum, { bytes }) => sum + bytes, 0)
  }

  dictionaryOf(source: DimensionSource): TextDictionary {
    let dictionary = this.#dictionaries.get(source)
    if (dictionary === undefined) {
      dictionary = new TextDictionary()
      this.#dictionaries.set(source, dictionary)
    }
    return dictionary
  }

  /** The values of a dimension. @param rows that were made with this */
  columnOf(dimension: string, rows: TextNumbers): ValueColumn {
    for (const group of this.#groups) {
      const column = group.columnOf(dimension, rows)
      if (column !== undefined) return column
    }
    throw new RangeError(`the clicks were read without ${dimension}`)
  }
}

/** Dimensions that are read from the same one or two columns, so that each different URL is parsed once for them. */
class DimensionGroup {
  readonly #sources: Dimension['sources']
  readonly #texts: ClickTexts
  readonly #values: ReadonlyMap<string, DistinctValues>
  /** For two columns: a pair has a number as the text of a single column has. */
  readonly #pairs: TextPairs | undefined
  /** Below it, the values are known. */
  #known = 0

  constructor(dimensions: readonly Dimension[], texts: ClickTexts) {
    const [{ sources, keysOf }] = dimensions as readonly [Dimension]
    this.#sources = sources
    this.#texts = texts
    this.#values = new Map(dimensions.map((dimension) => [dimension.name, new DistinctValues(dimension)]))
    if (sources[1] !== undefined) {
      const [first, second] = sources.map((source) => texts.dictionaryOf(source)) as [TextDictionary, TextDictionary]
      this.#pairs = new TextPairs(new TextKeys(first, keysOf?.[0]), new TextKeys(second, keysOf?.[1]))
    }
  }

  get bytes(): number {
    let bytes = this.#pairs?.bytes ?? 0
    for (const values of this.#values.values()) bytes += values.bytes
    return bytes
  }

  columnOf(dimension: string, rows: TextNumbers): ValueColumn | undefined {
    const distinct = this.#values.get(dimension)
    if (distinct === undefined) return undefined
    const [source, other] = this.#sources
    const first = rows.numbersOf(source)
    const numbers = other === undefined ? first : (this.#pairs as TextPairs).numbersOf(first, rows.numbersOf(other))
    this.#readValues()
    const indexes = new Uint32Array(numbers.length)
    const { indexOf } = distinct
    for (let row = 0; row < numbers.length; row += 1) indexes[row] = indexOf[numbers[row] as number] as number
    return { values: distinct.values, indexes }
  }

  /** Reads the values of texts, or of pairs, that came since the last call. */
  #readValues(): void {
    const [source, other] = this.#sources
    const end = this.#pairs?.size ?? this.#texts.dictionaryOf(source).size
    for (; this.#known < end; this.#known += 1) {
      const [first, second] = this.#pairs?.textsOf(this.#known) ?? [this.#known, 0]
      const click: DimensionRow = {
        target: '',
        [source]: this.#fieldOf(source, first),
        ...(other !== undefined && { [other]: this.#fieldOf(other, second) }),
      }
      for (const values of this.#values.values()) values.add(this.#known, click)
    }
  }

  #fieldOf(source: DimensionSource, number: number): unknown {
    if (number === 0) return undefined
    const text = this.#texts.dictionaryOf(source).textOf(number)
    // The binary form of jsonb is a version byte and the text.
    return source === 'props' ? JSON.parse(text.slice(1)) : text
  }
}

/** Numbers the different pairs of keys of two texts, from 0. */
class TextPairs {
  readonly #first: TextKeys
  readonly #second: TextKeys
  readonly #numberOf = new Map<number, number>()
  readonly #texts: (readonly [number, number])[] = []

  constructor(first: TextKeys, second: TextKeys) {
    this.#first = first
    this.#second = second
  }

  get size(): number {
    return this.#texts.length
  }

  get bytes(): number {
    return 100 * this.#texts.length + this.#first.bytes + this.#second.bytes
  }

  /** The numbers of two texts that have the pair's keys; 0 for none. */
  textsOf(pair: number): readonly [number, number] {
    return this.#texts[pair] as readonly [number, number]
  }

  /** @param first numbers of texts of clicks */
  numbersOf(first: Uint32Array, second: Uint32Array): Uint32Array {
    const [firstKeys, secondKeys] = [this.#first.keys(), this.#second.keys()]
    const numbers = new Uint32Array(first.length)
    for (let row = 0; row < first.length; row += 1) {
      const pair = (firstKeys[first[row] as number] as number) * 2 ** 26 + (secondKeys[second[row] as number] as number)
      let number = this.#numberOf.get(pair)
      if (number === undefined) {
        number = this.#texts.push([first[row] as number, second[row] as number]) - 1
        this.#numberOf.set(pair, number)
      }
      numbers[row] = number
    }
    return numbers
  }
}

/** Numbers the different keys of texts, from 0. */
class TextKeys {
  readonly #dictionary: TextDictionary
  readonly #keyOf: (text: string) => string
  readonly #numberOf = new Map<string, number>()
  /** By the number of the text. */
  readonly #keys: number[] = []

  /** @param keyOf by default each text is its own key */
  constructor(dictionary: TextDictionary, keyOf: (text: string) => string = (text) => text) {
    this.#dictionary = dictionary
    this.#keyOf = keyOf
  }

  get bytes(): number {
    return 100 * this.#numberOf.size + 8 * this.#keys.length
  }

  /** Of all texts in the dictionary; that of no text is different from all others. */
  keys(): readonly number[] {
    for (let text = this.#keys.length; text < this.#dictionary.size; text += 1) {
      const key = text === 0 ? 'none' : `=${this.#keyOf(this.#dictionary.textOf(text))}`
      let number = this.#numberOf.get(key)
      if (number === undefined) {
        number = this.#numberOf.size
        this.#numberOf.set(key, number)
      }
      this.#keys.push(number)
    }
    return this.#keys
  }
}

/** The different values of a dimension. */
class DistinctValues {
  readonly values: string[] = []
  /** By the number of a text or of a combination. */
  indexOf = new Uint32Array(64)
  readonly #valueOf: Dimension['valueOf']
  readonly #indexOfValue = new Map<string, number>()

  constructor({ valueOf: read }: Dimension) {
    this.#valueOf = read
  }

  get bytes(): number {
    return 100 * this.values.length + 4 * this.indexOf.length
  }

  add(number: number, click: DimensionRow): void {
    const value = this.#valueOf(click) ?? ''
    let index = this.#indexOfValue.get(value)
    if (index === undefined) {
      index = this.values.push(value) - 1
      this.#indexOfValue.set(value, index)
    }
    if (number === this.indexOf.length) {
      const larger = new Uint32Array(2 * number)
      larger.set(this.indexOf)
      this.indexOf = larger
    }
    this.indexOf[number] = index
  }
}
