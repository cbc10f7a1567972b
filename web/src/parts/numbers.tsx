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
  const [scopeOfToday, scope] = [countsScope(today.value), countsScope(range.value)]
  const todays = usePolled<Counts>(countsUrl('', today.value), livePauseMs.value, scopeOfToday)
  const yesterdays = usePolled<Counts>(countsUrl('', today.value.previous), previousPauseMs, scopeOfToday)
  const current = usePolled<Counts>(countsUrl('', range.value), livePauseMs.value, scope)
  const before = usePolled<Counts>(countsUrl('', range.value.previous), previousPauseMs, scope)
  return (
    <section class="numbers" aria-label="Numbers">
      <Figure
        class="hero"
        title="Clicks today"
        polled={todays}
        count="total"
        before={yesterdays.current?.total}
        than="yesterday"
      />
      <Figure
        title="Visitors today"
        polled={todays}
        count="visitors"
        before={yesterdays.current?.visitors}
        than="yesterday"
      />
      <Figure
        title={`Clicks, ${range.value.name.toLowerCase()}`}
        polled={current}
        count="total"
        before={before.current?.total}
        than="before"
      />
      <Figure
        title={`Visitors, ${range.value.name.toLowerCase()}`}
        polled={current}
        count="visitors"
        before={before.current?.visitors}
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

function Figure({ class: name = '', title, polled, count, before, than }: FigureProps) {
  const { data, current, isOutdated, problem } = polled
  const value = data?.[count]
  const compared = current?.[count]
  const isComparable = compared !== undefined && before !== undefined && before > 0
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
              <Change value={compared} before={before} /> vs {formatCount(before)} {than}
            </>
          )
        )}
      </p>
    </div>
  )
}
