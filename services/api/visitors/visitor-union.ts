const hashSpace = 2 ** 31

/**
 * Estimates the number of distinct visitors in several lists of hashes (see visitor_sketch_merge).
 *
 * @param lists each sorted, or without hashes above `below`
 * @param below the minimum of the largest hashes of the incomplete lists; null if all lists are complete. All lists are
 *   complete up to this hash, so only hashes up to it are counted.
 */
export function countVisitors(lists: readonly ArrayLike<number>[], below: number | null): number {
  const lengths = lists.map((hashes) => (below === null ? hashes.length : upTo(hashes, below)))
  const slots = freeSlots(2 ** Math.ceil(Math.log2(2 * lengths.reduce((sum, length) => sum + length, 1))))
  const mask = slots.length - 1
  let distinct = 0
  lists.forEach((hashes, list) => {
    const length = lengths[list] ?? 0
    for (let index = 0; index < length; index += 1) {
      const hash = hashes[index] ?? 0
      let slot = Math.imul(hash, 0x9e3779b1) & mask
      while (slots[slot] !== -1 && slots[slot] !== hash) slot = (slot + 1) & mask
      if (slots[slot] === hash) continue
      slots[slot] = hash
      distinct += 1
    }
  })
  return estimateVisitors(distinct, below)
}

const mostKeptSlots = 2 ** 18
let keptSlots = new Int32Array(0)

/** Slots of a hash set, for use until the next call: open addressing, at most half full. Hashes are never negative; -1 is free. */
function freeSlots(size: number): Int32Array {
  if (size > mostKeptSlots) return new Int32Array(size).fill(-1)
  // Memory that is new for each question would take longer than the union.
  if (keptSlots.length < size) keptSlots = new Int32Array(size)
  return keptSlots.subarray(0, size).fill(-1)
}

/**
 * Estimates the number of distinct visitors from the number of hashes up to `below`. If k of uniformly distributed hashes are in
 * a fraction of the hash space, there are about (k - 1) / fraction. From k = 2,048 on the standard error is 1/√k, at most 2.2 %
 * (Bar-Yossef et al., 2002).
 *
 * @param below null if all hashes are known
 */
export function estimateVisitors(hashes: number, below: number | null): number {
  if (below === null) return hashes
  return Math.round(((hashes - 1) * hashSpace) / (below + 1))
}

/** The number of sorted hashes up to the limit. */
function upTo(hashes: ArrayLike<number>, limit: number): number {
  let low = 0
  let high = hashes.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((hashes[middle] ?? 0) <= limit) low = middle + 1
    else high = middle
  }
  return low
}
