import type { Meta } from '@clicktally/operations/read/read-schemas.ts'
import type { CountsFilter } from '../request/counts-filter.ts'
import type { ScanSource } from '../scan/scan.ts'

/**
 * The `meta` of a response.
 *
 * @param missing clicks that may be missing
 */
export function metaOf(
  asOf: Date | null,
  source: 'counters' | ScanSource | 'ledger',
  range?: Pick<CountsFilter, 'fromMs' | 'toMs'>,
  tz = 'UTC',
  missing = 0,
): Meta {
  const now = Date.now()
  // A processor's clock may be ahead, but the response cannot be from the future.
  const asOfMs = asOf === null ? null : Math.min(asOf.getTime(), now)
  return {
    asOf: asOfMs === null ? null : new Date(asOfMs).toISOString(),
    lagMs: asOfMs === null ? null : now - asOfMs,
    tz,
    source,
    ...(range !== undefined && { from: textOf(range.fromMs), to: textOf(range.toMs) }),
    ...(missing > 0 && { missing }),
  }
}

/** The `meta` of an answer with a comparison: either may lack the clicks that are missing of both. */
export function withMissingOf(meta: Meta, { missing = 0 }: Meta): Meta {
  return missing === 0 ? meta : { ...meta, missing: (meta.missing ?? 0) + missing }
}

/** The ends of a range as an answer shows them. */
export function rangeText({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }) {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
}

function textOf(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString()
}
