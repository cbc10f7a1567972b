import type { GroupCounts } from './group-counts.ts'

/**
 * The clicks of a day or a month by the ids of a dimension: for each id in ascending order its distance from the one before, its
 * total and its bots, as numbers of 7 bits a byte.
 */
export function encodeSums(counts: GroupCounts): Buffer {
  const entries = [...counts.counts].sort(([a], [b]) => a - b)
  // 8 bytes hold any number below 2^53.
  const bytes = Buffer.allocUnsafe(24 * entries.length)
  let at = 0
  let before = 0
  for (const [id, { total, bots }] of entries) {
    at = writeNumber(bytes, at, id - before)
    at = writeNumber(bytes, at, total)
    at = writeNumber(bytes, at, bots)
    before = id
  }
  return bytes.subarray(0, at)
}

/** Adds the clicks to `counts`. @throws RangeError if the bytes are not sums */
export function addSums(bytes: Buffer, counts: GroupCounts): void {
  const reader = new NumberReader(bytes)
  for (let id = 0; reader.at < bytes.length; ) {
    id += reader.next()
    const total = reader.next()
    counts.addTo(id, total, reader.next())
  }
}

class NumberReader {
  readonly #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  next(): number {
    // Most numbers are small.
    const first = this.#byte()
    return first < 128 ? first : this.#rest(first)
  }

  #rest(first: number): number {
    let value = first & 127
    for (let factor = 128; ; factor *= 128) {
      const byte = this.#byte()
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.at]
    if (byte === undefined) throw new RangeError('malformed sums')
    this.at += 1
    return byte
  }
}

function writeNumber(bytes: Buffer, from: number, value: number): number {
  let at = from
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    bytes[at] = 128 + (rest % 128)
    at += 1
  }
  bytes[at] = rest
  return at + 1
}
