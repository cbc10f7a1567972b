/**
 * A bounded cache that keeps what was used recently. It has two generations: when the young one is full, it replaces the old one.
 * So it is nearly as exact as an LRU list, but a hit costs one lookup in a Map.
 */
export class RecentCache<Value> {
  readonly #perGeneration: number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()

  /** @param maxEntries of both generations together */
  constructor(maxEntries: number) {
    this.#perGeneration = Math.ceil(maxEntries / 2)
  }

  /** Returns the value of a key. Computes it if it is not in the cache. */
  get(key: string, compute: (key: string) => Value): Value {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const value = this.#old.get(key) ?? compute(key)
    if (this.#young.size >= this.#perGeneration) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
    return value
  }
}
