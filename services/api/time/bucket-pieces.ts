import { type BucketWidth, bucketWidths, ceilToBucket, floorToBucket } from '@clicktally/database/counter-buckets.ts'
import type { RolledUpBefore } from '../queries/counter-state.ts'

/** A half-open time range in milliseconds since 1970; ±Infinity if unbounded. */
export interface Piece {
  readonly fromMs: number
  readonly toMs: number
}

/** The pieces of a range, by the bucket width in which they are read. */
export type BucketPieces = Readonly<Record<BucketWidth, readonly Piece[]>>

/**
 * Splits a range of whole minutes so that the fewest rows are read: months in the middle, then days, hours and minutes towards
 * its ends and after the roll-up horizons. Buckets are in UTC.
 *
 * @param widest the widest buckets to use
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
