import type { Counts, Top } from '@clicktally/operations/read-operations.ts'
import { saveCsv } from '../csv.ts'
import { joinValues } from '../filters/condition.ts'
import { hrefChoosing, isInCondition } from '../filters/filters.ts'
import { usePolled } from '../http/polling.ts'
import { Card } from '../parts/card.tsx'
import { countsScope, countsUrl, range } from '../state/counts-query.ts'
import { type RankedRow, Ranking } from './ranking.tsx'

const shownTargets = 10

/** The most clicked targets. A click on one makes it the filter. */
export function TargetsCard() {
  const scope = countsScope(range.value)
  const polled = usePolled<Top>(
    countsUrl('/top', range.value, { limit: String(shownTargets), visitors: 'true' }),
    5_000,
    scope,
  )
  const targets = polled.data?.targets ?? []
  // Until the first answer about a scope the targets of another one are shown, which are compared with nothing.
  const { current } = polled
  const shown = current === undefined ? '' : joinValues(targets.map(({ target }) => target))
  const previous = usePolled<Top>(
    shown === '' ? undefined : countsUrl('/top', range.value.previous, { limit: String(shownTargets), target: shown }),
    60_000,
    scope,
  ).current
  const all = usePolled<Counts>(countsUrl('', range.value), 5_000, scope).current?.total
  const rows = targets.map(
    ({ target, total, bots, visitors }): RankedRow => ({
      key: target,
      label: target,
      ...{ total, bots, visitors, isChosen: isInCondition('target', target) },
      before: current && previous?.targets.find((each) => each.target === target)?.total,
      share: current && all && Math.min(total / all, 1),
      href: hrefChoosing('target', target),
      excludeHref: hrefChoosing('target', target, true),
    }),
  )
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
