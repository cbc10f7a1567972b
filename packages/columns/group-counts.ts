import type { PartColumn } from './part.ts'

export interface Count {
  total: number
  bots: number
}

/** Clicks by the id of a group. */
export class GroupCounts {
  readonly #counts = new Map<number, Count>()

  /** @param mask which of the clicks count */
  add(rows: number, mask: Uint8Array, { ids, positions }: PartColumn, bots: Uint8Array): void {
    const sums = new Uint32Array(2 * ids.length)
    for (let row = 0; row < rows; row += 1) {
      ;(sums[2 * (positions[row] as number) + (bots[row] as number)] as number) += mask[row] as number
    }
    for (let position = 0; position < ids.length; position += 1) {
      const total = sums[2 * position] as number
      const bots = sums[2 * position + 1] as number
      if (total > 0 || bots > 0) this.addTo(ids[position] as number, total, bots)
    }
  }

  get(id: number): Count | undefined {
    return this.#counts.get(id)
  }

  /** By id. */
  get counts(): ReadonlyMap<number, Readonly<Count>> {
    return this.#counts
  }

  /** Counts what has one of these ids under the other. */
  rename(ids: ReadonlyMap<number, number>): void {
    for (const [from, to] of ids) {
      const count = this.#counts.get(from)
      if (count === undefined) continue
      this.#counts.delete(from)
      this.addTo(to, count.total, count.bots)
    }
  }

  addTo(id: number, total: number, bots: number): void {
    const count = this.#counts.get(id)
    if (count === undefined) this.#counts.set(id, { total, bots })
    else {
      count.total += total
      count.bots += bots
    }
  }
}
