import type { Meta } from '@clicktally/contract/read-operations.ts'
import type { CountsFilter } from './counts-filter.ts'

/** What every answer says of itself. */
export function metaOf(
  asOf: Date | null,
  source: 'counters' | 'clicks' | 'ledger',
  filter: Pick<CountsFilter, 'fromMs' | 'toMs'> = { fromMs: undefined, toMs: undefined },
  tz = 'UTC',
): Meta {
  const now = Date.now()
  // A processor's clock may be ahead, and what has not happened yet is not counted.
  const asOfMs = asOf === null ? null : Math.min(asOf.getTime(), now)
  return {
    asOf: asOfMs === null ? null : new Date(asOfMs).toISOString(),
    lagMs: asOfMs === null ? null : now - asOfMs,
    tz,
    source,
    ...(filter.fromMs !== undefined && { from: new Date(filter.fromMs).toISOString() }),
    ...(filter.toMs !== undefined && { to: new Date(filter.toMs).toISOString() }),
  }
}
