import type { PartColumn } from './part.ts'

export interface Count {
  readonly total: number
  readonly bots: number
}

/** Ids below this are counted in arrays. Ids are given in the order in which values appear, so frequent values have small ones. */
const maxArrayIds = 16_384

/** Reused for each part. For each position of a column two numbers: people and bots. */
const sums = new Uint32Array(2 * 65_536)

/** Clicks by the id of a group. */
export class GroupCounts {
  #totals = new Float64Array(0)
  #bots = new Float64Array(0)
  readonly #others = new Map<number, { total: number; bots: number }>()

  /** @param mask which of the clicks count */
  add(rows: number, mask: Uint8Array, { ids, positions }: PartColumn, bots: Uint8Array): void {
    sums.fill(0, 0, 2 * ids.length)
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
    if (!isInArray(id)) return this.#others.get(id)
    const [total = 0, bots = 0] = [this.#totals[id], this.#bots[id]]
    return total > 0 || bots > 0 ? { total, bots } : undefined
  }

  /** Of all groups. */
  get sum(): Count {
    let [total, bots] = [0, 0]
    for (let id = 0; id < this.#totals.length; id += 1) {
      total += this.#totals[id] as number
      bots += this.#bots[id] as number
    }
    for (const count of this.#others.values()) {
      total += count.total
      bots += count.bots
    }
    return { total, bots }
  }

  /** By id. A copy. */
  get counts(): ReadonlyMap<number, Count> {
    const counts = new Map<number, Count>(this.#others)
    for (let id = 0; id < this.#totals.length; id += 1) {
      const count = this.get(id)
      if (count !== undefined) counts.set(id, count)
    }
    return counts
  }

  /** Counts what has one of these ids under the other. */
  rename(ids: ReadonlyMap<number, number>): void {
    for (const [from, to] of ids) {
      const count = this.get(from)
      if (count === undefined) continue
      this.#remove(from)
      this.addTo(to, count.total, count.bots)
    }
  }

  addTo(id: number, total: number, bots: number): void {
    if (isInArray(id)) {
      if (id >= this.#totals.length) this.#grow(id)
      ;(this.#totals[id] as number) += total
      ;(this.#bots[id] as number) += bots
      return
    }
    const count = this.#others.get(id)
    if (count === undefined) this.#others.set(id, { total, bots })
    else {
      count.total += total
      count.bots += bots
    }
  }

  #remove(id: number): void {
    if (isInArray(id)) {
      this.#totals[id] = 0
      this.#bots[id] = 0
    } else this.#others.delete(id)
  }

  #grow(id: number): void {
    const capacity = Math.min(maxArrayIds, Math.max(64, 2 * id))
    const [totals, bots] = [new Float64Array(capacity), new Float64Array(capacity)]
    totals.set(this.#totals)
    bots.set(this.#bots)
    this.#totals = totals
    this.#bots = bots
  }
}

/** Other ids are temporary ones, negative ones and those of rare values. */
function isInArray(id: number): boolean {
  return id >= 0 && id < maxArrayIds
}
