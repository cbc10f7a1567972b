/** With so many texts at neighbouring slots, some have equal hashes, perhaps because somebody chose them so. */
const maxProbes = 16

/**
 * Numbers different texts from 1, in the order in which they come; 0 stands for none. Texts are looked up by their bytes, so that a
 * known one need not become a string, which would take longer than everything else.
 */
export class TextDictionary {
  readonly #seed = Math.floor(Math.random() * 2 ** 32) | 0
  #size = 1
  /** Open addressing: the number of a text; 0 is free. At most half full. */
  #slots = new Int32Array(128)
  #hashes = new Int32Array(64)
  /** Where each text ends in `#bytes`; it begins where the one before ends. */
  #ends = new Uint32Array(64)
  #bytes = Buffer.alloc(2_048)
  /** Texts that found no slot. Its hashes cannot be guessed. */
  readonly #crowded = new Map<string, number>()

  /** The number of the next new text. */
  get size(): number {
    return this.#size
  }

  /** In memory, roughly. */
  get bytes(): number {
    return this.#bytes.length + 16 * this.#hashes.length
  }

  /** @returns the number of the text there, a new one if it did not come before */
  numberOf(bytes: Buffer, from: number, to: number): number {
    let hash = this.#seed
    // FNV-1a.
    for (let at = from; at < to; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0x0100_0193)
    hash ^= hash >>> 15
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = hash & mask
    for (let probe = 0; probe < maxProbes; probe += 1) {
      const number = slots[slot] as number
      if (number === 0) {
        slots[slot] = this.#size
        return this.#append(hash, bytes, from, to)
      }
      if (this.#hashes[number] === hash && this.#isEqual(number, bytes, from, to)) return number
      slot = (slot + 1) & mask
    }
    const key = bytes.toString('latin1', from, to)
    const known = this.#crowded.get(key)
    if (known !== undefined) return known
    this.#crowded.set(key, this.#size)
    return this.#append(hash, bytes, from, to)
  }

  /** The text with this number, from 1. */
  textOf(number: number): string {
    return this.#bytes.toString('utf8', this.#ends[number - 1] as number, this.#ends[number])
  }

  #isEqual(number: number, bytes: Buffer, from: number, to: number): boolean {
    const own = this.#bytes
    let at = this.#ends[number - 1] as number
    if ((this.#ends[number] as number) - at !== to - from) return false
    for (let index = from; index < to; index += 1, at += 1) if (own[at] !== bytes[index]) return false
    return true
  }

  #append(hash: number, bytes: Buffer, from: number, to: number): number {
    const number = this.#size
    this.#size += 1
    const start = this.#ends[number - 1] as number
    const end = start + to - from
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, end))
      this.#bytes.copy(larger, 0, 0, start)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, start, from, to)
    this.#hashes[number] = hash
    this.#ends[number] = end
    if (this.#size === this.#hashes.length) this.#grow()
    return number
  }

  #grow(): void {
    const hashes = new Int32Array(2 * this.#hashes.length)
    hashes.set(this.#hashes)
    const ends = new Uint32Array(hashes.length)
    ends.set(this.#ends)
    this.#hashes = hashes
    this.#ends = ends
    const slots = new Int32Array(2 * hashes.length)
    const mask = slots.length - 1
    this.#crowded.clear()
    for (let number = 1; number < this.#size; number += 1) {
      let slot = (hashes[number] as number) & mask
      let probe = 0
      for (; probe < maxProbes && slots[slot] !== 0; probe += 1) slot = (slot + 1) & mask
      if (probe < maxProbes) slots[slot] = number
      else this.#crowded.set(this.#bytes.toString('latin1', ends[number - 1] as number, ends[number]), number)
    }
    this.#slots = slots
  }
}
