import type { Meta } from '@clicktally/contract/read-operations.ts'
import type { CountsFilter } from './counts-filter.ts'

/** What every answer says of itself. */
export function metaOf(
  asOf: Date | null,
  source: 'counters' | 'clicks' | 'ledger',
  filter: Pick<CountsFilter, 'fromMs' | 'toMs'> = { fromMs: undefined, toMs: undefined },
  tz = 'UTC',
): Meta {
  return {
    asOf: asOf?.toISOString() ?? null,
    lagMs: asOf === null ? null : Math.max(0, Date.now() - asOf.getTime()),
    tz,
    source,
    ...(filter.fromMs !== undefined && { from: new Date(filter.fromMs).toISOString() }),
    ...(filter.toMs !== undefined && { to: new Date(filter.toMs).toISOString() }),
  }
}
