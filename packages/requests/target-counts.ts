/** Clicks of a target, by people and by bots. */
export interface ClickCount {
  people: number
  bots: number
}

export interface RankedTarget extends ClickCount {
  target: string
}

/** Clicks by target, and their sums. Memory depends on the number of targets, not of clicks. */
export class TargetCounts {
  readonly #byTarget = new Map<string, ClickCount>()
  people = 0
  bots = 0

  get clicks(): number {
    return this.people + this.bots
  }

  /** The number of targets. */
  get size(): number {
    return this.#byTarget.size
  }

  add(target: string, people: number, bots: number): void {
    this.people += people
    this.bots += bots
    const count = this.#byTarget.get(target)
    if (count) {
      count.people += people
      count.bots += bots
    } else {
      // A slice keeps the whole string alive, here a chunk of the log for each new target. A round trip through a buffer
      // makes a copy. (In UTF-16, because it preserves unpaired surrogates.)
      const ownTarget = Buffer.from(target, 'utf16le').toString('utf16le')
      this.#byTarget.set(ownTarget, { people, bots })
    }
  }

  get(target: string): ClickCount {
    return this.#byTarget.get(target) ?? { people: 0, bots: 0 }
  }

  targets(): IterableIterator<string> {
    return this.#byTarget.keys()
  }

  /** Returns what was added since `earlier`, without unchanged targets. */
  since(earlier: TargetCounts): TargetCounts {
    const difference = new TargetCounts()
    for (const target of new Set([...this.targets(), ...earlier.targets()])) {
      const now = this.get(target)
      const before = earlier.get(target)
      const people = now.people - before.people
      const bots = now.bots - before.bots
      if (people !== 0 || bots !== 0) difference.add(target, people, bots)
    }
    return difference
  }

  /** Returns the `length` most clicked targets; targets with equal clicks are in code unit order. */
  top(length: number): RankedTarget[] {
    const ranked = [...this.#byTarget].map(([target, count]) => ({ target, ...count }))
    ranked.sort((a, b) => b.people + b.bots - (a.people + a.bots) || (a.target < b.target ? -1 : 1))
    return ranked.slice(0, length)
  }
}
