/**
 * Measures the structure of a body before it is parsed. JSON.parse takes tens of times as long for a megabyte of `[` or of
 * `"a":0,` as for a megabyte of clicks, so bodies with more structure than any event are not parsed.
 *
 * Brackets and commas are first counted with indexOf, which costs a valid body a few percent of its validation. They may be
 * inside strings, so a body with too many is counted again by a scan that skips strings, at a few milliseconds per MiB.
 */

/** The maximum of brackets `[` and `{`, and of commas, outside of strings. */
interface StructureLimit {
  readonly brackets: number
  readonly commas: number
}

/**
 * For one event. The largest valid one has 2 brackets and 37 commas: 8 fields and 30 props. The margin lets common mistakes
 * such as a nested prop, or a few props too many, be parsed and answered with the name of the field.
 */
const eventLimit: StructureLimit = { brackets: 16, commas: 64 }
/** For a batch that is parsed as a whole: 500 valid events and a margin. */
const batchLimit: StructureLimit = { brackets: 2_000, commas: 20_000 }

/** Whether the JSON of one event is within the limit for parsing. */
export function isParsableEvent(text: string): boolean {
  if (isRoughlyWithin(text, eventLimit)) return true
  const scan = new StructureScan(text)
  scan.skipValue()
  return scan.isWithin(eventLimit)
}

/** Whether the text is truncated: it ends inside an array, an object or a string, so it cannot be JSON. */
export function isCutOff(text: string): boolean {
  const scan = new StructureScan(text)
  scan.skipValue()
  return scan.isOpen
}

/** Whether a batch is within the limit for parsing it as a whole. */
export function isParsableBatch(text: string): boolean {
  return isRoughlyWithin(text, batchLimit)
}

/** A fast check without false positives; it may reject a text that is within the limit. */
function isRoughlyWithin(text: string, { brackets, commas }: StructureLimit): boolean {
  const squares = countUpTo(text, '[', brackets)
  return squares + countUpTo(text, '{', brackets) <= brackets && countUpTo(text, ',', commas) <= commas
}

/** Counts a character; stops above `limit`. */
function countUpTo(text: string, character: string, limit: number): number {
  let count = 0
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) {
    count += 1
    if (count > limit) break
  }
  return count
}

/** The text of one element of a batch. */
export interface BatchElement {
  readonly text: string
  /** False if it is over the limit for parsing. */
  readonly isParsable: boolean
}

/**
 * Splits `{"events":[…]}` into its elements without parsing them, in linear time. The elements need not be valid JSON.
 *
 * @returns false if the text around the elements does not have that form
 */
export function* batchElements(text: string): Generator<BatchElement, boolean> {
  const scan = new StructureScan(text)
  if (!scan.take('{') || scan.takeString() !== 'events' || !scan.take(':') || !scan.take('[')) return false
  if (!scan.take(']')) {
    do {
      const element = scan.skipValue()
      yield { text: element, isParsable: scan.isWithin(eventLimit) }
    } while (scan.take(','))
    if (!scan.take(']')) return false
  }
  return scan.take('}') && scan.isAtEnd()
}

const quote = 0x22
const comma = 0x2c
const openSquare = 0x5b
const backslash = 0x5c
const closeSquare = 0x5d
const openCurly = 0x7b
const closeCurly = 0x7d

/** A single forward scan over a text that should be JSON. */
class StructureScan {
  readonly #text: string
  #at = 0
  /** Counts of the last skipped value. */
  #brackets = 0
  #commas = 0
  #depth = 0
  #isInString = false

  constructor(text: string) {
    this.#text = text
  }

  isWithin({ brackets, commas }: StructureLimit): boolean {
    return this.#brackets <= brackets && this.#commas <= commas
  }

  /** Whether the text ended inside the last skipped value. */
  get isOpen(): boolean {
    return this.#depth > 0 || this.#isInString
  }

  isAtEnd(): boolean {
    this.#skipSpace()
    return this.#at === this.#text.length
  }

  /** Skips whitespace and this character, if it is next. */
  take(character: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  /** Reads the next string; undefined if there is none, or it is invalid. */
  takeString(): string | undefined {
    this.#skipSpace()
    const from = this.#at
    if (this.#text.charCodeAt(from) !== quote) return undefined
    this.#skipString()
    try {
      return JSON.parse(this.#text.slice(from, this.#at)) as string
    } catch {
      return undefined
    }
  }

  /** Skips the next value, up to the comma or closing bracket after it or the end of the text, and returns it. */
  skipValue(): string {
    const text = this.#text
    const from = this.#at
    this.#depth = 0
    this.#brackets = 0
    this.#commas = 0
    while (this.#at < text.length) {
      switch (text.charCodeAt(this.#at)) {
        case quote:
          this.#skipString()
          continue
        case openSquare:
        case openCurly:
          this.#brackets += 1
          this.#depth += 1
          break
        case closeSquare:
        case closeCurly:
          if (this.#depth === 0) return text.slice(from, this.#at)
          this.#depth -= 1
          break
        case comma:
          if (this.#depth === 0) return text.slice(from, this.#at)
          this.#commas += 1
          break
      }
      this.#at += 1
    }
    return text.slice(from)
  }

  /** Skips the next string. */
  #skipString(): void {
    const text = this.#text
    this.#at += 1
    while (this.#at < text.length) {
      const code = text.charCodeAt(this.#at)
      this.#at += code === backslash ? 2 : 1
      if (code === quote) return
    }
    this.#at = text.length
    this.#isInString = true
  }

  #skipSpace(): void {
    const text = this.#text
    for (;;) {
      const code = text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at += 1
    }
  }
}
