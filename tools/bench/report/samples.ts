/** Returns the middle sample, or the mean of the two in the middle; NaN if there are none. */
export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/**
 * Divides each sample by the other one of the same round: what slows down a whole round, such as another program on the
 * machine, slows down both. Leaves out rounds in which one of them is missing.
 */
export function pairedRatios(
  samples: readonly (number | undefined)[],
  others: readonly (number | undefined)[],
): number[] {
  return samples
    .map((sample, round) => (sample ?? Number.NaN) / (others[round] ?? Number.NaN))
    .filter((ratio) => Number.isFinite(ratio))
}

/**
 * Returns the nearest-rank percentile; NaN if there are no samples.
 *
 * @param sorted in ascending order
 * @param share such as 0.99
 */
export function percentile(sorted: Float64Array | readonly number[], share: number): number {
  const rank = Math.ceil(share * sorted.length) - 1
  return sorted[Math.max(0, Math.min(sorted.length - 1, rank))] ?? Number.NaN
}

/** Formats a number with at least three significant digits and at most two decimals: `18,342`, `45.1`, `0.93`. */
export function figureText(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}

/** Formats the median and the range: `18,342 (17,900–18,801)`; the median alone if all samples look the same. */
export function samplesText(samples: readonly number[] | undefined): string {
  const known = (samples ?? []).filter((sample) => Number.isFinite(sample))
  if (known.length === 0) return '–'
  const [from, to] = [figureText(Math.min(...known)), figureText(Math.max(...known))]
  return from === to ? from : `${figureText(median(known))} (${from}–${to})`
}
