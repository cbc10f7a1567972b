import type { Meta } from '@clicktally/operations/read/read-schemas.ts'
import type { ApiContext } from '../api-context.ts'
import type { Cell } from '../cells/cell.ts'
import { questionState } from '../queries/counter-state.ts'
import { inRawSnapshot, type RawSnapshot } from '../queries/snapshot.ts'
import { type CountsFilter, rangeOf } from '../request/counts-filter.ts'
import { readDimension, readValueFilters } from '../request/value-filters.ts'
import { metaOf } from '../response/meta.ts'
import type { TimeZone } from '../time/time-zone.ts'
import { Scan } from './scan.ts'

/** What a route asks. */
export interface Asked {
  readonly filter: CountsFilter
  /** The parameters `filter`. */
  readonly conditions: readonly string[]
  /** By which clicks are grouped. */
  readonly dimension?: string
  /** Times in milliseconds since 1970, between which clicks are grouped. */
  readonly edges?: readonly number[]
  readonly visitors: boolean
  readonly zone: TimeZone
}

/**
 * Answers a question about dimensions from one snapshot.
 *
 * @param act reads; what it returns is sent with the `meta`
 * @throws {ServiceProblem} dimension_unknown, parameter_invalid, question_too_large, columns_not_ready, questions_busy
 */
export async function ask<Answer extends object>(
  { scans }: ApiContext,
  { pool }: Cell,
  { filter, conditions, dimension, edges, visitors, zone }: Asked,
  act: (scan: Scan, snapshot: RawSnapshot) => Promise<Answer>,
): Promise<Answer & { meta: Meta }> {
  const { projectId } = filter
  return await scans.run(projectId, () =>
    inRawSnapshot(pool, async (snapshot) => {
      const { asOf, rolledUpBefore, declaredProps: props } = await questionState(snapshot.db, projectId)
      const scan = await Scan.plan(snapshot, {
        ...{ projectId, range: rangeOf(filter), rolledUpBefore, visitors },
        filters: readValueFilters(conditions, filter, props),
        ...(dimension !== undefined && { dimension: readDimension(dimension, props, 'dimension') }),
        ...(edges !== undefined && { edges }),
      })
      const answer = await act(scan, snapshot)
      return { ...answer, meta: metaOf(asOf, scan.source, filter, zone.name, scan.missing) }
    }),
  )
}
