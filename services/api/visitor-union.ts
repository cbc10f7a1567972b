const hashSpace = 2 ** 31

/**
 * How many different visitors several sorted lists of hashes stand for (visitor_sketch_merge).
 *
 * @param below the lowest of the largest hashes of those lists that are not complete; null where all are. Up to there
 *   they are complete, so only what is not above it is looked at.
 */
export function countVisitors(lists: readonly ArrayLike<number>[], below: number | null): number {
  const lengths = lists.map((hashes) => (below === null ? hashes.length : upTo(hashes, below)))
  // Open addressing, at most half full. Hashes are never negative.
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * lengths.reduce((sum, length) => sum + length, 1)))).fill(-1)
  const mask = slots.length - 1
  let different = 0
  lists.forEach((hashes, list) => {
    const length = lengths[list] ?? 0
    for (let index = 0; index < length; index += 1) {
      const hash = hashes[index] ?? 0
      let slot = Math.imul(hash, 0x9e3779b1) & mask
      while (slots[slot] !== -1 && slots[slot] !== hash) slot = (slot + 1) & mask
      if (slots[slot] === hash) continue
      slots[slot] = hash
      different += 1
    }
  })
  return estimateVisitors(different, below)
}

/**
 * How many different visitors there are, when so many of their hashes are not above `below`. Evenly spread hashes, of which
 * k reach up to a share of the space, are about (k - 1) / share; with k from 2,048 on the standard error is 1/√k, 2.2 % at
 * most (Bar-Yossef et al., 2002).
 *
 * @param below null where all hashes are known
 */
export function estimateVisitors(hashes: number, below: number | null): number {
  if (below === null) return hashes
  return Math.round(((hashes - 1) * hashSpace) / (below + 1))
}

/** How many of the sorted hashes are not above the limit. */
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
