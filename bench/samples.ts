/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The least and the most; NaN of nothing. */
export function spread(samples: readonly number[]): { least: number; most: number } {
  if (samples.length === 0) return { least: Number.NaN, most: Number.NaN }
  return { least: Math.min(...samples), most: Math.max(...samples) }
}

/**
 * Each sample against the other of the same round: what slows a whole round down, such as a neighbour on the machine,
 * slows both. A round in which one of the two is missing is left out.
 */
export function pairedRatios(
  samples: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): number[] {
  return samples.flatMap((sample, round) => {
    const other = others[round]
    const ratio = sample === undefined || other === undefined ? Number.NaN : sample / other
    return Number.isFinite(ratio) ? [ratio] : []
  })
}

/**
 * The value below which this share of them lies, by the nearest rank; NaN of nothing.
 *
 * @param sorted from the least to the most
 * @param share such as 0.99
 */
export function percentile(sorted: Float64Array | readonly number[], share: number): number {
  const rank = Math.ceil(share * sorted.length) - 1
  return sorted[Math.max(0, Math.min(sorted.length - 1, rank))] ?? Number.NaN
}
