import type { Series } from '@clicktally/operations/read-operations.ts'
import { useSignal } from '@preact/signals'
import { saveCsv } from '../csv.ts'
import { formatBucket, formatCount } from '../format.ts'
import { usePolled } from '../http/polling.ts'
import { countsScope, countsUrl, range, timeZone } from '../state/counts-query.ts'
import { go, hrefWith, params } from '../state/place.ts'
import { customParams } from '../state/range.ts'
import { Card } from './card.tsx'
import { ScrollBox } from './scroll-box.tsx'
import { type Plotted, SeriesPlot } from './series-plot.tsx'

/** Clicks over time, as a plot to zoom into, or as a table. */
export function SeriesCard() {
  const isTable = useSignal(false)
  const compares = params.value.get('compare') !== 'no'
  const { interval, previous } = range.value
  const counts = params.value.get('count') === 'visitors' ? 'visitors' : 'clicks'
  const query = { interval, tz: timeZone, ...(counts === 'visitors' && { visitors: 'true' }) }
  const scope = `${counts} ${countsScope(range.value)}`
  const polled = usePolled<Series>(countsUrl('/series', range.value, query), 5_000, scope)
  const before = usePolled<Series>(compares ? countsUrl('/series', previous, query) : undefined, 60_000, scope)
  const isComparable = compares && polled.current !== undefined
  const points = plotted(polled.data?.points, counts)
  return (
    <Card
      title={counts === 'visitors' ? 'Visitors over time' : 'Clicks over time'}
      class="series"
      polled={polled}
      actions={
        <div class="actions">
          <button
            type="button"
            aria-pressed={counts === 'visitors'}
            onClick={() => go(hrefWith({ count: counts === 'visitors' ? undefined : 'visitors' }))}
          >
            Visitors
          </button>
          <button
            type="button"
            aria-pressed={compares}
            onClick={() => go(hrefWith({ compare: compares ? 'no' : undefined }))}
          >
            Compare
          </button>
          <button
            type="button"
            onClick={() =>
              saveCsv('clicks-over-time.csv', [
                ['start', 'end', counts, 'bots'],
                ...points.map(({ start, end, total, bots }) => [start, end, total, bots]),
              ])
            }
          >
            CSV
          </button>
          <button
            type="button"
            aria-pressed={isTable.value}
            onClick={() => {
              isTable.value = !isTable.value
            }}
          >
            Table
          </button>
        </div>
      }
    >
      {isTable.value ? (
        <ScrollBox label="Table: clicks over time" scrolls="tall">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col" class="count">
                  {counts === 'visitors' ? 'Visitors' : 'Clicks'}
                </th>
                <th scope="col" class="count">
                  Bots
                </th>
              </tr>
            </thead>
            <tbody>
              {points.toReversed().map(({ start, total, bots }) => (
                <tr key={start}>
                  <th scope="row">{formatBucket(new Date(start), interval)}</th>
                  <td class="count">{formatCount(total)}</td>
                  <td class="count">{formatCount(bots)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      ) : (
        <SeriesPlot
          points={points}
          previous={plotted(isComparable ? before.current?.points : undefined, counts)}
          counts={counts}
          interval={interval}
          onSelect={(from, to) => go(hrefWith(customParams(from, to)))}
        />
      )}
    </Card>
  )
}

const none: Series['points'] = []

/** The points with what is plotted as their total. */
function plotted(points: Series['points'] = none, counts: Plotted): Series['points'] {
  return counts === 'clicks' ? points : points.map((point) => ({ ...point, total: point.visitors ?? 0 }))
}
