import { type BucketWidth, bucketWidths, ceilToBucket, floorToBucket } from '@clicktally/database/counter-buckets.ts'
import type { RolledUpBefore } from './queries/rollup-horizon.ts'

/** Times are milliseconds since 1970, ±Infinity where there is no bound; ranges are half-open. */
export interface Piece {
  readonly fromMs: number
  readonly toMs: number
}

/** The pieces of a range, by the width of the buckets that each is read in. */
export type BucketPieces = Readonly<Record<BucketWidth, readonly Piece[]>>

/**
 * Divides a range of whole minutes so that the fewest rows are read: whole months in its middle, then days, hours and
 * minutes towards its ends and beyond what is rolled up. Buckets are in UTC.
 *
 * @param widest no wider buckets than these
 */
export function bucketPieces(range: Piece, rolledUpBefore: RolledUpBefore, widest: BucketWidth): BucketPieces {
  const pieces: Record<BucketWidth, Piece[]> = { month: [], day: [], hour: [], minute: [] }
  let rest = range.fromMs < range.toMs ? [range] : []
  for (const width of bucketWidths.slice(bucketWidths.indexOf(widest))) {
    rest = rest.flatMap(({ fromMs, toMs }) => {
      const firstMs = ceilToBucket(fromMs, width)
      const lastMs = width === 'minute' ? toMs : floorToBucket(Math.min(toMs, rolledUpBefore[width]), width)
      if (firstMs >= lastMs) return { fromMs, toMs }
      pieces[width].push({ fromMs: firstMs, toMs: lastMs })
      return [
        { fromMs, toMs: firstMs },
        { fromMs: lastMs, toMs },
      ].filter((piece) => piece.fromMs < piece.toMs)
    })
  }
  return pieces
}
