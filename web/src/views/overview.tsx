import type { Counts } from '@clicktally/operations/read-operations.ts'
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { usePolled } from '../http/polling.ts'
import { later } from '../later.tsx'
import { LiveCard } from '../parts/live-card.tsx'
import { Numbers } from '../parts/numbers.tsx'
import { RangeBar } from '../parts/range-bar.tsx'
import { SeriesCard } from '../parts/series-card.tsx'
import { TargetsCard } from '../parts/targets-card.tsx'
import { params } from '../state/place.ts'

const FirstClick = later(() => import('./first-click.tsx').then((module) => module.FirstClick))

/** The one screen: how often, when, and what. */
export function Overview() {
  const isEmpty = useIsEmpty()
  return (
    <main class="page" id="content">
      {isEmpty ? (
        <FirstClick />
      ) : (
        <>
          <Numbers />
          <RangeBar />
          <SeriesCard />
          <div class="cards">
            <TargetsCard />
            <LiveCard />
          </div>
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
  const { data, isOutdated } = usePolled<Counts>(isFilled ? undefined : `/v1/counts${query}`, 1_000)
  const isEmpty = data !== undefined && !isOutdated && data.total + data.bots === 0
  useEffect(() => {
    if (data !== undefined && !isOutdated && !isEmpty) filled.value = query
  }, [data, isOutdated, isEmpty, query, filled])
  return isEmpty && !isFilled
}
