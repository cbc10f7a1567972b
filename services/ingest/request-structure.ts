/**
 * How much structure a body has, found out before it is parsed. JSON.parse of a megabyte of `[` or of `"a":0,` takes tens of
 * times as long as that of a megabyte of clicks, so what no event can have is not parsed at all.
 *
 * Brackets and commas are counted natively, with indexOf, which costs a valid body a few percent of its check. They may be
 * inside strings, so a body that has too many is counted once more by a scan that skips strings, a few milliseconds a MiB.
 */

/** Brackets `[` and `{`, and commas, outside of strings. */
interface StructureLimit {
  readonly brackets: number
  readonly commas: number
}

/**
 * Of one event. A valid one has 2 brackets and 37 commas: 8 fields and 30 props. The room above is for common mistakes, a
 * nested prop or some props too many, which get an answer that names the field.
 */
const eventLimit: StructureLimit = { brackets: 16, commas: 64 }
/** Of a batch that is parsed as a whole: what 500 valid events have, and some room. */
const batchLimit: StructureLimit = { brackets: 2_000, commas: 20_000 }

/** Whether one event, as JSON, has no more structure than is worth parsing. */
export function isParsableEvent(text: string): boolean {
  if (isRoughlyWithin(text, eventLimit)) return true
  const scan = new StructureScan(text)
  scan.skipValue()
  return scan.isWithin(eventLimit)
}

/** Whether the text ends inside an array, an object or a string, so that it is no JSON, whatever else it may be. */
export function isCutOff(text: string): boolean {
  const scan = new StructureScan(text)
  scan.skipValue()
  return scan.isOpen
}

/** Whether a batch has so little structure that it can be parsed as a whole. */
export function isParsableBatch(text: string): boolean {
  return isRoughlyWithin(text, batchLimit)
}

/** Never true of a text that is not. */
function isRoughlyWithin(text: string, { brackets, commas }: StructureLimit): boolean {
  const squares = countUpTo(text, '[', brackets)
  return squares + countUpTo(text, '{', brackets) <= brackets && countUpTo(text, ',', commas) <= commas
}

/** How often the character is in the text; stops above `limit`. */
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
  /** False where it has more structure than is worth parsing. */
  readonly isParsable: boolean
}

/**
 * Cuts `{"events":[…]}` into its elements without parsing it, in time linear in its length. The elements may be anything;
 * they need not be JSON.
 *
 * @returns false where the text around the elements is not of that shape
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

/** Goes through a text that should be JSON, from its beginning to its end, once. */
class StructureScan {
  readonly #text: string
  #at = 0
  /** Of the last value that was skipped. */
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

  /** Whether the text ended inside the last value that was skipped. */
  get isOpen(): boolean {
    return this.#depth > 0 || this.#isInString
  }

  isAtEnd(): boolean {
    this.#skipSpace()
    return this.#at === this.#text.length
  }

  /** Goes behind this character, if it is the next one that is no space. */
  take(character: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  /** The string that is next; undefined where there is none, or it is broken. */
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

  /** Goes to what ends the value that is next: the comma or the bracket behind it, or the end of the text. */
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

  /** Goes behind the string that is next. */
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
