import { type ClickRow, keyWord, keyWords } from '../rows/click-row.ts'

/** Half of them are used. Two generations of as many slots of 25 bytes take 13 MB, and remember 131,000 to 262,000 clicks. */
const defaultSlots = 2 ** 18
/** Ids come from clients, who may choose them so that they meet. */
const maxProbes = 64

/**
 * The primary keys of the clicks that this process has stored last. Most clicks that come twice, come twice within seconds, because a
 * client did not get the response. Finding them here costs a thirtieth of asking the database.
 *
 * Whatever it does not contain may be stored nevertheless. What it contains is stored, unless the database has lost it: it must be emptied
 * whenever a connection was lost, because another server may have taken over.
 */
export class RecentClicks {
  readonly #slots: number
  #young: Generation
  #old: Generation

  /** @param slots a power of 2 */
  constructor(slots: number = defaultSlots) {
    this.#slots = slots
    this.#young = new Generation(slots)
    this.#old = new Generation(0)
  }

  has(click: ClickRow): boolean {
    return this.#young.has(click) || this.#old.has(click)
  }

  /** Call it when the transaction is committed. */
  add(clicks: readonly ClickRow[]): void {
    for (const click of clicks) {
      if (this.#young.isFull) {
        this.#old = this.#young
        this.#young = new Generation(this.#slots)
      }
      this.#young.add(click)
    }
  }

  clear(): void {
    if (this.#young.isEmpty) return
    this.#young = new Generation(this.#slots)
    this.#old = new Generation(0)
  }
}

/** A set of keys: open addressing, at most half full. */
class Generation {
  readonly #keys: Int32Array
  readonly #slots: number
  readonly #used: Uint8Array
  readonly #seed = Math.floor(Math.random() * 2 ** 32) | 0
  #size = 0

  constructor(slots: number) {
    this.#slots = slots
    this.#keys = new Int32Array(slots * keyWords)
    this.#used = new Uint8Array(slots)
  }

  get isEmpty(): boolean {
    return this.#size === 0
  }

  get isFull(): boolean {
    return 2 * this.#size >= this.#slots
  }

  has(click: ClickRow): boolean {
    return this.#size > 0 && this.#used[this.#slotOf(click) ?? this.#slots] === 1
  }

  add(click: ClickRow): void {
    const slot = this.#slotOf(click)
    if (slot === undefined || this.#used[slot] === 1) return
    this.#used[slot] = 1
    for (let word = 0; word < keyWords; word += 1) this.#keys[slot * keyWords + word] = keyWord(click, word)
    this.#size += 1
  }

  /** The slot of a key, or the free one where it belongs. Undefined if there is none nearby. */
  #slotOf(click: ClickRow): number | undefined {
    const mask = this.#slots - 1
    let hash = this.#seed
    for (let word = 0; word < keyWords; word += 1) {
      hash = Math.imul(hash ^ keyWord(click, word), 0x9e37_79b1)
      hash ^= hash >>> 15
    }
    let slot = hash & mask
    for (let probe = 0; probe < maxProbes; probe += 1) {
      if (this.#used[slot] === 0 || this.#isAt(slot, click)) return slot
      slot = (slot + 1) & mask
    }
    return undefined
  }

  #isAt(slot: number, click: ClickRow): boolean {
    for (let word = 0; word < keyWords; word += 1)
      if (this.#keys[slot * keyWords + word] !== keyWord(click, word)) return false
    return true
  }
}
