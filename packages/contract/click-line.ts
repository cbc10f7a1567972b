import { Buffer } from 'node:buffer'
import { requestIdChars } from './click.ts'
import { clickLimits } from './click-event.ts'

/** The parts of a line that are always the same, in the order in which encodeClick() writes them. */
const parts = {
  id: Buffer.from('{"id":"'),
  projectId: Buffer.from('","projectId":'),
  target: Buffer.from(',"target":"'),
  occurredAtMs: Buffer.from(',"occurredAtMs":'),
  receivedAtMs: Buffer.from(',"receivedAtMs":'),
  requestId: Buffer.from(',"requestId":"'),
  bot: Buffer.from(',"bot":true'),
  visitorId: Buffer.from(',"visitorId":"'),
  url: Buffer.from(',"url":"'),
  referrer: Buffer.from(',"referrer":"'),
  props: Buffer.from(',"props":'),
  true: Buffer.from('true'),
  false: Buffer.from('false'),
  null: Buffer.from('null'),
}
/** To the end of the year 9999. */
const maxTimeMs = 253_402_300_799_999
const maxProjectId = 2_147_483_647
/** A decimal number of so many digits is the same as a double and back. */
const maxNumberDigits = 15
const idLength = 36
/** Constants of their own: to look each up in an object takes longer. */
const { targetChars, visitorIdChars, urlChars, propKeys, propKeyChars, propValueChars } = clickLimits

const quote = 0x22
const comma = 0x2c
const minus = 0x2d
const point = 0x2e
const zero = 0x30
const nine = 0x39
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d

/** By byte: 1 where it stands for itself in a JSON text. No control character does, nor do the quote and the backslash. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) => Number(byte >= 0x20 && byte !== quote && byte !== 0x5c))
/** By byte: 1 where it is a hexadecimal digit in lower case. */
const isHex = Uint8Array.from({ length: 256 }, (_, byte) => Number(/[0-9a-f]/.test(String.fromCharCode(byte))))

/**
 * Reads a click's line where it lies, without making an object or a text of it: in less than half of the time that JSON.parse and the
 * schema's check take. It knows lines as encodeClick() writes them, nearly all: fields in that order, no space, nothing
 * escaped. What it reads the schema would let through, and would read the same. Whatever else a line holds is not read, but
 * left to decodeMessage().
 *
 * One reader reads many lines, one after the other; its fields are of the last that was read.
 */
export class ClickLine {
  projectId = 0
  occurredAtMs = 0
  receivedAtMs = 0
  bot = false
  /** Where the id begins in the content. */
  idFrom = 0
  /** Where texts begin, and end: as the JSON has them, which is as they are. Both 0 where there is none. */
  targetFrom = 0
  targetTo = 0
  visitorIdFrom = 0
  visitorIdTo = 0
  urlFrom = 0
  urlTo = 0
  referrerFrom = 0
  referrerTo = 0
  /** With its braces. */
  propsFrom = 0
  propsTo = 0

  #content: Buffer = Buffer.alloc(0)
  #at = 0

  /**
   * Whether it could read the line from `from` to `to`, which has no line break.
   *
   * @param content well-formed UTF-8
   */
  read(content: Buffer, from: number, to: number): boolean {
    this.#content = content
    this.#at = from
    return this.#readStamped() && this.#readOptional() && this.#isAt(closeBrace) && this.#at + 1 === to
  }

  #readStamped(): boolean {
    if (!this.#skip(parts.id)) return false
    this.idFrom = this.#at
    if (!this.#skipId() || !this.#skip(parts.projectId)) return false
    this.projectId = this.#readWhole(maxProjectId)
    if (this.projectId < 1 || !this.#skip(parts.target)) return false
    this.targetFrom = this.#at
    if (!this.#skipText(targetChars)) return false
    this.targetTo = this.#at - 1
    if (this.targetTo === this.targetFrom || !this.#skip(parts.occurredAtMs)) return false
    this.occurredAtMs = this.#readWhole(maxTimeMs)
    if (this.occurredAtMs < 0 || !this.#skip(parts.receivedAtMs)) return false
    this.receivedAtMs = this.#readWhole(maxTimeMs)
    return this.receivedAtMs >= 0 && this.#skip(parts.requestId) && this.#skipText(requestIdChars)
  }

  #readOptional(): boolean {
    this.bot = this.#skip(parts.bot)
    this.visitorIdFrom = this.visitorIdTo = this.urlFrom = this.urlTo = 0
    this.referrerFrom = this.referrerTo = this.propsFrom = this.propsTo = 0
    if (this.#skip(parts.visitorId)) {
      this.visitorIdFrom = this.#at
      if (!this.#skipText(visitorIdChars)) return false
      this.visitorIdTo = this.#at - 1
    }
    if (this.#skip(parts.url)) {
      this.urlFrom = this.#at
      if (!this.#skipText(urlChars)) return false
      this.urlTo = this.#at - 1
    }
    if (this.#skip(parts.referrer)) {
      this.referrerFrom = this.#at
      if (!this.#skipText(urlChars)) return false
      this.referrerTo = this.#at - 1
    }
    if (this.#skip(parts.props)) {
      this.propsFrom = this.#at
      if (!this.#skipProps()) return false
      this.propsTo = this.#at
    }
    return true
  }

  #isAt(byte: number): boolean {
    return this.#content[this.#at] === byte
  }

  /** Behind these bytes, if they are next. Beyond the content's end nothing is. */
  #skip(bytes: Buffer): boolean {
    const content = this.#content
    const from = this.#at
    for (let index = 0; index < bytes.length; index += 1) if (content[from + index] !== bytes[index]) return false
    this.#at = from + bytes.length
    return true
  }

  /** Behind a UUIDv7 in lower case. */
  #skipId(): boolean {
    const content = this.#content
    const from = this.#at
    for (let index = 0; index < idLength; index += 1) {
      const isDash = index === 8 || index === 13 || index === 18 || index === 23
      if (isDash ? content[from + index] !== minus : isHex[content[from + index] as number] !== 1) return false
    }
    const variant = content[from + 19] as number
    this.#at = from + idLength
    // 8, 9, a or b.
    return (
      content[from + 14] === zero + 7 && (variant === 0x38 || variant === nine || variant === 0x61 || variant === 0x62)
    )
  }

  /** A whole number that is not negative, written as JSON does; -1 for any other, and where it is more than `max`. */
  #readWhole(max: number): number {
    const content = this.#content
    const from = this.#at
    let value = 0
    let at = from
    for (; at < from + maxNumberDigits; at += 1) {
      const byte = content[at] as number
      if (!(byte >= zero && byte <= nine)) break
      value = value * 10 + (byte - zero)
    }
    this.#at = at
    const isWritten = at > from && (content[from] !== zero || at === from + 1)
    return isWritten && value <= max ? value : -1
  }

  /**
   * Behind the closing quote.
   *
   * @param maxChars of the text. Its bytes are compared: a text of other than ASCII that is near the limit is left to decodeMessage()
   */
  #skipText(maxChars: number): boolean {
    const content = this.#content
    const from = this.#at
    let at = from
    while (isPlain[content[at] as number] === 1) at += 1
    this.#at = at + 1
    return content[at] === quote && at - from <= maxChars
  }

  /** Behind an object of texts, numbers, booleans and nulls, as many as an event may have. */
  #skipProps(): boolean {
    if (!this.#isAt(openBrace)) return false
    this.#at += 1
    if (this.#isAt(closeBrace)) {
      this.#at += 1
      return true
    }
    for (let count = 0; count < propKeys; count += 1) {
      if (!this.#isAt(quote)) return false
      this.#at += 1
      if (!this.#skipText(propKeyChars) || !this.#isAt(colon)) return false
      this.#at += 1
      if (!this.#skipValue()) return false
      const isLast = this.#isAt(closeBrace)
      if (!isLast && !this.#isAt(comma)) return false
      this.#at += 1
      if (isLast) return true
    }
    return false
  }

  #skipValue(): boolean {
    if (this.#isAt(quote)) {
      this.#at += 1
      return this.#skipText(propValueChars)
    }
    return this.#skip(parts.true) || this.#skip(parts.false) || this.#skip(parts.null) || this.#skipNumber()
  }

  /** Behind a number that would be written the same again: no exponent, no zeros that say nothing, not too many digits. */
  #skipNumber(): boolean {
    const from = this.#isAt(minus) ? this.#at + 1 : this.#at
    this.#at = from
    const whole = this.#readWhole(Number.MAX_SAFE_INTEGER)
    // Of -0 the sign would be lost.
    if (whole === -1 || (whole === 0 && this.#content[from - 1] === minus)) return false
    if (this.#isAt(point)) {
      const digitsFrom = this.#at + 1
      let at = digitsFrom
      while ((this.#content[at] as number) >= zero && (this.#content[at] as number) <= nine) at += 1
      // Below 0.000001 JavaScript writes an exponent.
      const isWritten = at > digitsFrom && this.#content[at - 1] !== zero && (whole > 0 || at - digitsFrom <= 6)
      if (!isWritten || at - from - 1 > maxNumberDigits) return false
      this.#at = at
    }
    const next = this.#content[this.#at]
    return next === comma || next === closeBrace
  }
}
