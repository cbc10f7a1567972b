const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/**
 * A horizontal bar, as exact as an eighth of a character. Every value above 0 is seen.
 *
 * @param share of the longest bar, 0 to 1
 * @param columns length of the longest bar
 */
export function bar(share: number, columns: number): string {
  const length = share <= 0 ? 0 : Math.max(1, Math.round(Math.min(1, share) * columns * 8))
  return '█'.repeat(Math.floor(length / 8)) + eighths[length % 8]
}
