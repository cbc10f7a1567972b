import { estimateVisitors } from './visitor-union.ts'

/** As many hashes as a counter's sketch has. */
const maxHashes = 2_048

/** Distinct visitors by the id of a group. */
export class VisitorSets {
  readonly #sets = new Map<number, VisitorSet>()
  readonly #groups: ReadonlySet<number> | undefined

  /** @param groups those that are counted; all if undefined. Each takes up to 32 KB. */
  constructor(groups?: ReadonlySet<number>) {
    this.#groups = groups
  }

  /** @param mask which of the clicks count */
  add(
    rows: number,
    mask: Uint8Array,
    { ids, positions }: { readonly ids: ArrayLike<number>; readonly positions: ArrayLike<number> },
    visitors: Int32Array,
  ): void {
    const sets = Array.from(ids, (id) => (this.#groups?.has(id) === false ? undefined : this.#setOf(id)))
    for (let row = 0; row < rows; row += 1) {
      const hash = visitors[row] as number
      if (mask[row] === 1 && hash >= 0) sets[positions[row] as number]?.add(hash)
    }
  }

  count(id: number): number {
    return this.#sets.get(id)?.count() ?? 0
  }

  #setOf(id: number): VisitorSet {
    let set = this.#sets.get(id)
    if (set === undefined) {
      set = new VisitorSet()
      this.#sets.set(id, set)
    }
    return set
  }
}

/** The smallest different hashes, as in a counter's sketch: independent of the order in which they are added. */
class VisitorSet {
  /** Open addressing; -1 is free. */
  #slots = new Int32Array(16).fill(-1)
  #size = 0
  /** Hashes above it are not among the smallest. */
  #limit = 2 ** 31

  add(hash: number): void {
    if (hash > this.#limit) return
    const mask = this.#slots.length - 1
    let slot = Math.imul(hash, 0x9e3779b1) & mask
    while (this.#slots[slot] !== -1) {
      if (this.#slots[slot] === hash) return
      slot = (slot + 1) & mask
    }
    this.#slots[slot] = hash
    this.#size += 1
    if (2 * this.#size <= this.#slots.length) return
    this.#fill(this.#size >= 2 * maxHashes ? this.#smallest() : this.#hashes())
  }

  /** Exact up to 2,048, else an estimate. */
  count(): number {
    if (this.#size <= maxHashes && this.#limit === 2 ** 31) return this.#size
    const smallest = this.#smallest()
    return estimateVisitors(smallest.length, smallest.at(-1) ?? 0)
  }

  #hashes(): Int32Array {
    return this.#slots.filter((hash) => hash !== -1)
  }

  #smallest(): Int32Array {
    const smallest = this.#hashes().sort().subarray(0, maxHashes)
    this.#limit = smallest.at(-1) ?? this.#limit
    return smallest
  }

  #fill(hashes: Int32Array): void {
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(4 * hashes.length))).fill(-1)
    this.#size = 0
    for (const hash of hashes) this.add(hash)
  }
}
