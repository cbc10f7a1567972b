import type { Counts, Top } from '@clicktally/operations/read-operations.ts'
import { saveCsv } from '../csv.ts'
import { usePolled } from '../http/polling.ts'
import { countsUrl, range } from '../state/counts-query.ts'
import { escapeValue } from '../state/filters.ts'
import { hrefWith, params } from '../state/place.ts'
import { Card } from './card.tsx'
import { type RankedRow, Ranking } from './ranking.tsx'

const shownTargets = 10

/** The most clicked targets. A click on one makes it the filter. */
export function TargetsCard() {
  const polled = usePolled<Top>(
    countsUrl('/top', range.value, { limit: String(shownTargets), visitors: 'true' }),
    5_000,
  )
  const targets = polled.data?.targets ?? []
  const shown = targets.map(({ target }) => escapeValue(target)).join(',')
  const previous = usePolled<Top>(
    shown === '' ? undefined : countsUrl('/top', range.value.previous, { limit: String(shownTargets), target: shown }),
    60_000,
  ).data
  const all = usePolled<Counts>(countsUrl('', range.value), 5_000).data?.total ?? 0
  const rows = targets.map(({ target, total, visitors }): RankedRow => {
    const text = escapeValue(target)
    const isChosen = params.value.get('target') === text
    return {
      ...{ label: target, total, visitors, isChosen },
      before: previous?.targets.find((each) => each.target === target)?.total,
      share: all === 0 ? 0 : Math.min(total / all, 1),
      href: hrefWith({ target: isChosen ? undefined : text }),
    }
  })
  const save = () =>
    saveCsv('top-targets.csv', [
      ['target', 'clicks', 'visitors', 'bots'],
      ...targets.map(({ target, total, visitors = 0, bots }) => [target, total, visitors, bots]),
    ])
  return (
    <Card
      title="Top targets"
      polled={polled}
      actions={
        <div class="actions">
          <button type="button" onClick={save}>
            CSV
          </button>
        </div>
      }
    >
      <Ranking title="Target" rows={rows} isEmpty={polled.data !== undefined && rows.length === 0} />
    </Card>
  )
}
