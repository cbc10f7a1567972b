import type { DimensionList } from '@clicktally/operations/read/dimension-operations.ts'
import type { Counts } from '@clicktally/operations/read-operations.ts'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Breakdowns } from '../breakdowns/breakdowns.tsx'
import { TargetsCard } from '../breakdowns/targets-card.tsx'
import { usePolled } from '../http/polling.ts'
import { later } from '../later.tsx'
import { LiveCard } from '../parts/live-card.tsx'
import { Numbers } from '../parts/numbers.tsx'
import { RangeBar } from '../parts/range-bar.tsx'
import { SeriesCard } from '../parts/series-card.tsx'
import { dimensionsUrl } from '../state/counts-query.ts'
import { params } from '../state/place.ts'

const FirstClick = later(() => import('./first-click.tsx').then((module) => module.FirstClick))

/** The one screen: how often, when, and what. */
export function Overview() {
  const isEmpty = useIsEmpty()
  const dimensions = usePolled<DimensionList>(dimensionsUrl(), 10_000).data?.dimensions.map(({ name }) => name) ?? []
  return (
    <main class="page" id="content">
      {isEmpty ? (
        <FirstClick />
      ) : (
        <>
          <Numbers />
          <RangeBar dimensions={dimensions} />
          <SeriesCard />
          <div class="cards">
            <TargetsCard />
            <LiveCard />
          </div>
          <Breakdowns props={dimensions.filter((name) => name.startsWith('props.'))} />
        </>
      )}
    </main>
  )
}

/** Whether the project has never had a click. Asked until the first arrives. */
function useIsEmpty(): boolean {
  const project = params.value.get('project')
  const query = project === null ? '' : `?project=${project}`
  const filled = useSignal<string | undefined>(undefined)
  const isFilled = filled.value === query
  const { current, isOutdated } = usePolled<Counts>(isFilled ? undefined : `/v1/counts${query}`, 1_000, query)
  const isEmpty = current !== undefined && !isOutdated && current.total + current.bots === 0
  useEffect(() => {
    if (current !== undefined && !isOutdated && !isEmpty) filled.value = query
  }, [current, isOutdated, isEmpty, query, filled])
  return isEmpty && !isFilled
}
