import type { Interval } from '@clicktally/operations/read-operations.ts'
import { problem } from '../errors.ts'
import { previousRange } from '../time/previous-range.ts'
import type { TimeZone } from '../time/time-zone.ts'
import { type CountsFilter, endOfMinute, readRange, withinYears } from './counts-filter.ts'

interface ComparisonQuery {
  readonly compare?: 'previous'
  readonly compareFrom?: string
  readonly compareTo?: string
}

/** A filter with both ends. */
export type BoundedFilter = CountsFilter & { readonly fromMs: number; readonly toMs: number }

/**
 * The filter of a query, and the one with which it is compared, if it asks for that. A range without an end ends with the current
 * minute then, because an open range has no length.
 *
 * @param interval of a series, see previousRange()
 * @throws {ServiceProblem} parameter_invalid, time_invalid, range_empty
 */
export function readComparison(
  query: ComparisonQuery,
  filter: CountsFilter,
  zone: TimeZone,
  interval?: Interval,
): { readonly filter: CountsFilter; readonly compared?: BoundedFilter } {
  const { compare, compareFrom, compareTo } = query
  if (compareFrom === undefined && compareTo === undefined) {
    if (compare === undefined) return { filter }
    const { fromMs, toMs = endOfMinute() } = filter
    if (fromMs === undefined) throw problem('parameter_invalid', '"compare" needs "from".', 'compare')
    if (toMs <= fromMs) throw problem('range_empty', '"from" is in the future. Set "to" as well.', 'from')
    const previous = withinYears(previousRange({ fromMs, toMs }, zone, interval))
    return { filter: { ...filter, toMs }, compared: { ...filter, ...previous } }
  }
  if (compare !== undefined)
    throw problem('parameter_invalid', 'Use either "compare" or "compareFrom" and "compareTo".', 'compare')
  const { fromMs, toMs } = readRange(query, ['compareFrom', 'compareTo'], zone)
  if (fromMs === undefined || toMs === undefined) {
    const missing = fromMs === undefined ? 'compareFrom' : 'compareTo'
    throw problem('parameter_invalid', `"${missing}" is required with the other end of the compared range.`, missing)
  }
  return { filter, compared: { ...filter, fromMs, toMs } }
}

/** The later end of both ranges; undefined if one is open. */
export function latestEnd(filter: CountsFilter, compared: BoundedFilter | undefined): number | undefined {
  if (filter.toMs === undefined || compared === undefined) return filter.toMs
  return Math.max(filter.toMs, compared.toMs)
}
