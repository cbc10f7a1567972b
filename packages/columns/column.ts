/**
 * How a column of a part is stored. A part holds up to 65,536 clicks of a project and an hour; a column holds one dimension of
 * them: a list of the different ids, and for each click the position of its id in the list, in as few bits as possible.
 *
 * | bytes | content                                                                              |
 * |-------|--------------------------------------------------------------------------------------|
 * | 1     | bits per position: 0, 1, 2, 4, 8 or 16; or `runs`                                     |
 * | 1     | unused                                                                               |
 * | 2     | number of ids minus 1                                                                |
 * | 4     | number of clicks                                                                     |
 * | 4 · n | the ids                                                                              |
 * | rest  | positions; or if the clicks are sorted by id, the number of clicks of each id minus 1 |
 *
 * Numbers are little-endian. 10 million clicks are read in some ten milliseconds, which general compression would not allow.
 */

/** The most clicks of a part: a position fits 16 bits. */
export const maxPartRows = 65_536

/** Before the ids. It has the number of clicks. */
export const headerBytes = 8
/** Instead of bits per position: the clicks are sorted by id. */
const runs = 255

/** The ids of a part, each different, and for each click the position of its id. */
export interface IdColumn<Positions = Uint16Array> {
  readonly rows: number
  readonly ids: Uint32Array
  readonly positions: Positions
}

/** Memory for a decoded column, which is valid until it is used for the next one. */
export class ColumnScratch {
  readonly ids = new Uint32Array(maxPartRows)
  /** Positions below 256. */
  readonly bytes = new Uint8Array(maxPartRows)
  readonly words = new Uint16Array(maxPartRows)
  /** The bytes of `words`. */
  readonly wordBytes = new Uint8Array(this.words.buffer)
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** @param isSorted whether clicks with the same id are together, in the order of `ids` */
export function encodeColumn({ rows, ids, positions }: IdColumn, isSorted = false): Buffer {
  const bits = isSorted ? runs : bitsFor(ids.length)
  const dataBytes = isSorted ? 2 * ids.length : Math.ceil((rows * bits) / 8)
  const column = Buffer.alloc(headerBytes + 4 * ids.length + dataBytes)
  column.writeUInt8(bits, 0)
  column.writeUInt16LE(ids.length - 1, 2)
  column.writeUInt32LE(rows, 4)
  let at = headerBytes
  for (const id of ids) at = column.writeUInt32LE(id, at)
  if (isSorted) {
    const counts = new Uint32Array(ids.length)
    for (let row = 0; row < rows; row += 1) (counts[positions[row] as number] as number) += 1
    for (const count of counts) at = column.writeUInt16LE(count - 1, at)
  } else if (bits === 16) {
    for (let row = 0; row < rows; row += 1, at += 2) {
      const position = positions[row] as number
      column[at] = position
      column[at + 1] = position >> 8
    }
  } else if (bits === 8) {
    for (let row = 0; row < rows; row += 1) column[at + row] = positions[row] as number
  } else if (bits > 0) {
    for (let row = 0; row < rows; row += 1) {
      const bit = row * bits
      ;(column[at + (bit >> 3)] as number) |= (positions[row] as number) << (bit & 7)
    }
  }
  return column
}

/**
 * @param scratch of which the returned column is a part
 * @throws RangeError if the bytes are not a column
 */
export function decodeColumn(column: Buffer, scratch: ColumnScratch): IdColumn<Uint8Array | Uint16Array> {
  const bits = column.readUInt8(0)
  const rows = column.readUInt32LE(4)
  const count = column.readUInt16LE(2) + 1
  const dataAt = headerBytes + 4 * count
  const dataBytes = bits === runs ? 2 * count : Math.ceil((rows * bits) / 8)
  if (rows > maxPartRows || column.length !== dataAt + dataBytes) throw new RangeError('malformed column')
  const ids = scratch.ids.subarray(0, count)
  for (let index = 0, at = headerBytes; index < count; index += 1, at += 4) ids[index] = uint32(column, at)
  if (bits === runs) return { rows, ids, positions: decodeRuns(column, dataAt, count, scratch.words) }
  if (bits === 16) return { rows, ids, positions: decodeWords(column, dataAt, rows, scratch) }
  return { rows, ids, positions: decodeBits(column, dataAt, rows, bits, scratch.bytes) }
}

function decodeRuns(column: Buffer, dataAt: number, count: number, positions: Uint16Array): Uint16Array {
  for (let index = 0, at = dataAt, row = 0; index < count; index += 1, at += 2) {
    const end = row + ((column[at] as number) | ((column[at + 1] as number) << 8)) + 1
    positions.fill(index, row, end)
    row = end
  }
  return positions
}

function decodeWords(column: Buffer, dataAt: number, rows: number, { words, wordBytes }: ColumnScratch): Uint16Array {
  if (isLittleEndian) wordBytes.set(column.subarray(dataAt))
  else for (let row = 0; row < rows; row += 1) words[row] = column.readUInt16LE(dataAt + 2 * row)
  return words
}

/** Each loop writes whole bytes of the column: some positions behind the last row, which are within the scratch. */
function decodeBits(column: Buffer, dataAt: number, rows: number, bits: number, positions: Uint8Array): Uint8Array {
  if (bits === 0) positions.fill(0, 0, rows)
  else if (bits === 8) positions.set(column.subarray(dataAt))
  else if (bits === 4) {
    for (let row = 0, at = dataAt; row < rows; row += 2, at += 1) {
      const byte = column[at] as number
      positions[row] = byte & 15
      positions[row + 1] = byte >> 4
    }
  } else if (bits === 2) {
    for (let row = 0, at = dataAt; row < rows; row += 4, at += 1) {
      const byte = column[at] as number
      positions[row] = byte & 3
      positions[row + 1] = (byte >> 2) & 3
      positions[row + 2] = (byte >> 4) & 3
      positions[row + 3] = byte >> 6
    }
  } else {
    for (let row = 0, at = dataAt; row < rows; row += 8, at += 1) {
      const byte = column[at] as number
      for (let bit = 0; bit < 8; bit += 1) positions[row + bit] = (byte >> bit) & 1
    }
  }
  return positions
}

/** Visitors are nearly all different: 4 bytes each, -1 for none. */
export function encodeVisitors(visitors: Int32Array): Buffer {
  const column = Buffer.allocUnsafe(4 * visitors.length)
  for (let row = 0, at = 0; row < visitors.length; row += 1, at += 4) {
    const hash = visitors[row] as number
    column[at] = hash
    column[at + 1] = hash >> 8
    column[at + 2] = hash >> 16
    column[at + 3] = hash >> 24
  }
  return column
}

/** @param visitors the hashes are written to it */
export function decodeVisitors(column: Buffer, visitors: Int32Array): void {
  for (let row = 0, at = 0; at < column.length; row += 1, at += 4) visitors[row] = uint32(column, at)
}

function uint32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}

function bitsFor(ids: number): number {
  return ids <= 1 ? 0 : ids <= 2 ? 1 : ids <= 4 ? 2 : ids <= 16 ? 4 : ids <= 256 ? 8 : 16
}
