import type { Counts } from '@clicktally/operations/read-operations.ts'
import { formatCount } from '../format.ts'
import { type Polled, usePolled } from '../http/polling.ts'
import { countsScope, countsUrl, livePauseMs, range, today } from '../state/counts-query.ts'
import { Change } from './change.tsx'
import { RollingCount } from './rolling-count.tsx'

/** What is compared with is over, so it hardly changes. */
const previousPauseMs = 60_000

/** The numbers at the top: clicks today, and clicks, visitors and bots of the chosen range. */
export function Numbers() {
  const todays = usePolled<Counts>(countsUrl('', today.value), livePauseMs.value)
  const yesterdays = usePolled<Counts>(countsUrl('', today.value.previous), previousPauseMs, countsScope(today.value))
  const current = usePolled<Counts>(countsUrl('', range.value), livePauseMs.value)
  const before = usePolled<Counts>(countsUrl('', range.value.previous), previousPauseMs, countsScope(range.value))
  return (
    <section class="numbers" aria-label="Numbers">
      <Figure
        class="hero"
        title="Clicks today"
        polled={todays}
        count="total"
        before={yesterdays.data?.total}
        than="yesterday"
      />
      <Figure
        title="Visitors today"
        polled={todays}
        count="visitors"
        before={yesterdays.data?.visitors}
        than="yesterday"
      />
      <Figure
        title={`Clicks, ${range.value.name.toLowerCase()}`}
        polled={current}
        count="total"
        before={before.data?.total}
        than="before"
      />
      <Figure
        title={`Visitors, ${range.value.name.toLowerCase()}`}
        polled={current}
        count="visitors"
        before={before.data?.visitors}
        than="before"
      />
      <Figure title="Bots, not included" polled={current} count="bots" />
    </section>
  )
}

interface FigureProps {
  readonly class?: string
  readonly title: string
  readonly polled: Polled<Counts>
  readonly count: 'total' | 'visitors' | 'bots'
  /** The count to compare with. */
  readonly before?: number | undefined
  readonly than?: string
}

function Figure({ class: name = '', title, polled: { data, isOutdated, problem }, count, before, than }: FigureProps) {
  const value = data?.[count]
  const isComparable = value !== undefined && before !== undefined && before > 0
  return (
    <div class={`number ${name}`} data-outdated={isOutdated || undefined}>
      {name === 'hero' ? <h1>{title}</h1> : <h2>{title}</h2>}
      <p class="value">{value === undefined ? <span class="waiting">—</span> : <RollingCount value={value} />}</p>
      <p class="note">
        {problem !== undefined ? (
          <span class="problem-text">{problem.message}</span>
        ) : (
          isComparable && (
            <>
              <Change value={value} before={before} /> vs {formatCount(before)} {than}
            </>
          )
        )}
      </p>
    </div>
  )
}
