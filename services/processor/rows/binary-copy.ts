/** Milliseconds from 1970 to 2000, where PostgreSQL's timestamps begin. */
const postgresEpochMs = 946_684_800_000
const int4Oid = 23
/** Signature, flags, length of the extension: "Binary Format" in PostgreSQL's documentation of COPY. */
const fileHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
const copyData = 0x64
const copyDone = 0x63
/** The buffer doubles when it is full. */
const firstBytes = 64 * 1024
const uuidBytes = 16
const jsonbVersion = 1
/** Up to this length a loop is faster than a call of native code. */
const fewBytes = 40

/**
 * Writes rows for `COPY … FROM STDIN (FORMAT BINARY)`, framed as protocol messages: for each COPY one CopyData with all data, and a
 * CopyDone. The caller writes field by field, in the order of the columns, with the right types; PostgreSQL rejects wrong ones.
 *
 * Binary, so that the server parses nothing: a timestamp as text costs it more than the rest of a click.
 */
export class BinaryCopy {
  #bytes = Buffer.allocUnsafe(firstBytes)
  #at = 0
  #frameAt = 0

  /** Everything written so far. */
  get content(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  /** In bytes. */
  get length(): number {
    return this.#at
  }

  /** Empties it. Later writes overwrite what `content` has returned. */
  clear(): void {
    this.#at = 0
  }

  /** Begins the data of one COPY. */
  begin(): void {
    this.#reserve(32)
    this.#bytes[this.#at] = copyData
    this.#frameAt = this.#at + 1
    this.#at += 5
    this.#at += fileHeader.copy(this.#bytes, this.#at)
  }

  end(): void {
    this.#reserve(16)
    this.#int16(-1)
    this.#bytes.writeInt32BE(this.#at - this.#frameAt, this.#frameAt)
    this.#bytes[this.#at] = copyDone
    this.#at += 1
    this.#int32(4)
  }

  /** Begins a row. @param textBytes upper bound for the row's values of variable size, as UTF-8 */
  row(columns: number, textBytes: number): void {
    this.#reserve(2 + columns * 24 + textBytes)
    this.#int16(columns)
  }

  /** Appends whole rows of another one, from the first byte of a row to the end of a row. */
  rows(other: BinaryCopy, from: number, to: number): void {
    this.#reserve(to - from)
    this.#copy(other.#bytes, from, to)
  }

  /** The UUID at this position, in lower case. */
  uuidAt(at: number): string {
    const hex = this.#bytes.toString('hex', at, at + uuidBytes)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  /** Writes the UUID at this position into a buffer. */
  copyUuid(at: number, into: Buffer, intoAt: number): void {
    const bytes = this.#bytes
    for (let index = 0; index < uuidBytes; index += 1) into[intoAt + index] = bytes[at + index] as number
  }

  /** The 32 bits at this position, as a signed number. */
  wordAt(at: number): number {
    const bytes = this.#bytes
    return (
      ((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)
    )
  }

  /** Compares so many bytes at two positions: negative, 0 if equal, or positive. */
  compare(at: number, other: BinaryCopy, otherAt: number, bytes: number): number {
    const own = this.#bytes
    const others = other.#bytes
    for (let index = 0; index < bytes; index += 1) {
      const difference = (own[at + index] as number) - (others[otherAt + index] as number)
      if (difference !== 0) return difference
    }
    return 0
  }

  null(): void {
    this.#int32(-1)
  }

  /** @param text as RFC 9562 writes it, in lower case */
  uuid(text: string): void {
    this.#int32(uuidBytes)
    const bytes = this.#bytes
    let at = this.#at
    for (let from = 0; from < 36; from += 2) {
      if (from === 8 || from === 13 || from === 18 || from === 23) from += 1
      bytes[at++] = (hexDigit(text.charCodeAt(from)) << 4) | hexDigit(text.charCodeAt(from + 1))
    }
    this.#at = at
  }

  /** A UUID as four words, the first bytes in the first one. */
  uuidOf(words: Int32Array): void {
    this.#int32(uuidBytes)
    for (let index = 0; index < 4; index += 1) this.#int32(words[index] as number)
  }

  int4(value: number): void {
    this.#int32(4)
    this.#int32(value)
  }

  /** @param value a safe integer */
  int8(value: number): void {
    this.#int32(8)
    this.#int32(Math.floor(value / 4_294_967_296))
    this.#int32(value | 0)
  }

  bool(value: boolean): void {
    this.#int32(1)
    this.#bytes[this.#at++] = value ? 1 : 0
  }

  /** @param timeMs milliseconds since 1970; fractions are truncated. @throws {RangeError} if there is no such time */
  timestamptz(timeMs: number): void {
    if (!(Math.abs(timeMs) <= 8.64e15)) throw new RangeError(`${timeMs} ms is no time`)
    // In two halves: as microseconds it may exceed what a double can hold exactly.
    const ms = Math.trunc(timeMs) - postgresEpochMs
    const highMs = Math.floor(ms / 4_294_967_296)
    const low = (ms - highMs * 4_294_967_296) * 1_000
    const carry = Math.floor(low / 4_294_967_296)
    this.#int32(8)
    this.#int32(highMs * 1_000 + carry)
    this.#int32(low - carry * 4_294_967_296)
  }

  text(value: string | undefined): void {
    if (value === undefined) {
      this.null()
      return
    }
    const lengthAt = this.#at
    this.#at += 4
    this.#at += this.#bytes.write(value, this.#at, 'utf8')
    this.#bytes.writeInt32BE(this.#at - lengthAt - 4, lengthAt)
  }

  /** A text as UTF-8 among other bytes; null if both are 0. */
  textIn(bytes: Buffer, from: number, to: number): void {
    if (to === 0) {
      this.null()
      return
    }
    this.#int32(to - from)
    this.#copy(bytes, from, to)
  }

  /** @param value JSON; undefined for null */
  jsonb(value: string | undefined): void {
    if (value === undefined) {
      this.null()
      return
    }
    const lengthAt = this.#at
    this.#at += 4
    this.#bytes[this.#at++] = jsonbVersion
    this.#at += this.#bytes.write(value, this.#at, 'utf8')
    this.#bytes.writeInt32BE(this.#at - lengthAt - 4, lengthAt)
  }

  /** JSON among other bytes; null if both are 0. */
  jsonbIn(bytes: Buffer, from: number, to: number): void {
    if (to === 0) {
      this.null()
      return
    }
    this.#int32(to - from + 1)
    this.#bytes[this.#at++] = jsonbVersion
    this.#copy(bytes, from, to)
  }

  /** A one-dimensional array. Each element takes 8 bytes. */
  int4Array(values: ArrayLike<number>): void {
    if (values.length === 0) {
      this.#int32(12)
      this.#int32(0)
      this.#int32(0)
      this.#int32(int4Oid)
      return
    }
    this.#int32(20 + 8 * values.length)
    this.#int32(1)
    this.#int32(0)
    this.#int32(int4Oid)
    this.#int32(values.length)
    this.#int32(1)
    for (let index = 0; index < values.length; index += 1) this.int4(values[index] as number)
  }

  #copy(bytes: Buffer, from: number, to: number): void {
    const own = this.#bytes
    const at = this.#at
    if (to - from > fewBytes) bytes.copy(own, at, from, to)
    else for (let index = 0; index < to - from; index += 1) own[at + index] = bytes[from + index] as number
    this.#at = at + to - from
  }

  #int16(value: number): void {
    const bytes = this.#bytes
    bytes[this.#at++] = value >> 8
    bytes[this.#at++] = value
  }

  #int32(value: number): void {
    const bytes = this.#bytes
    bytes[this.#at++] = value >> 24
    bytes[this.#at++] = value >> 16
    bytes[this.#at++] = value >> 8
    bytes[this.#at++] = value
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

/** 0 to 15. The check of the id has made sure that it is a digit. */
function hexDigit(code: number): number {
  return code < 58 ? code - 48 : code - 87
}
