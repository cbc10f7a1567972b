import type { Breakdown } from '@clicktally/operations/read-operations.ts'
import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { saveCsv } from '../csv.ts'
import { hrefChoosing, isInCondition } from '../filters/filters.ts'
import { formatCount } from '../format.ts'
import { usePolled } from '../http/polling.ts'
import { request } from '../http/request.ts'
import { Card } from '../parts/card.tsx'
import { describe } from '../parts/request-form.tsx'
import { ScrollBox } from '../parts/scroll-box.tsx'
import { countsUrl, range } from '../state/counts-query.ts'
import { follow, hrefWith, params } from '../state/place.ts'
import { labelOf, nameOf } from './dimension-names.ts'
import { type RankedRow, Ranking } from './ranking.tsx'
import { useSeen } from './use-seen.ts'

export interface Tab {
  readonly dimension: string
  /** Default: the dimension's name. */
  readonly label?: string
  /** Says why no click may have a value. */
  readonly hint: string
}

interface BreakdownCardProps {
  /** The parameter of the address that has the chosen dimension. */
  readonly name: string
  readonly title: string
  readonly tabs: readonly Tab[]
}

const pauseMs = 10_000
const fewValues = 8
const manyValues = 100
/** The most that the API returns at once. */
const valuesPerPage = 1_000
/** A larger file is what the export is for. */
const mostPages = 10

/** The clicks of the range by the values of a dimension, which can be chosen. Asks only once it has been in sight. */
export function BreakdownCard({ name, title, tabs }: BreakdownCardProps) {
  const box = useRef<HTMLDivElement>(null)
  const isSeen = useSeen(box)
  const showsMany = useSignal(false)
  const tab = tabs.find(({ dimension }) => dimension === params.value.get(name)) ?? tabs[0]
  const dimension = tab?.dimension ?? ''
  const limit = showsMany.value ? manyValues : fewValues
  const polled = usePolled<Breakdown>(isSeen ? urlOf(dimension, limit) : undefined, pauseMs)
  // Until the answer has come, the last one may be that of another tab.
  const data = polled.data?.dimension === dimension ? polled.data : undefined
  return (
    <Card
      title={title}
      polled={data === undefined ? { ...polled, isOutdated: false } : polled}
      actions={<SaveButton dimension={dimension} />}
    >
      <div ref={box} class="breakdown">
        {tabs.length > 1 && (
          <nav class="tabs" aria-label={`${title} by`}>
            {tabs.map(({ dimension: each, label = nameOf(each) }) => (
              <a
                key={each}
                href={hrefWith({ [name]: each === tabs[0]?.dimension ? undefined : each })}
                onClick={follow}
                aria-current={each === dimension ? 'true' : undefined}
              >
                {label}
              </a>
            ))}
          </nav>
        )}
        <Values data={data} dimension={dimension} isTall={showsMany.value} />
        {data !== undefined && (
          <Rest
            data={data}
            hint={tab?.hint ?? ''}
            showsMany={showsMany.value}
            onMore={() => (showsMany.value = !showsMany.value)}
          />
        )}
      </div>
    </Card>
  )
}

function urlOf(dimension: string, limit: number, cursor?: string): string {
  const page = { limit: String(limit), ...(cursor !== undefined && { cursor }) }
  return countsUrl(`/by/${encodeURIComponent(dimension)}`, range.value, page)
}

interface ValuesProps {
  readonly data: Breakdown | undefined
  readonly dimension: string
  readonly isTall: boolean
}

function Values({ data, dimension, isTall }: ValuesProps) {
  const rows = (data?.values ?? []).map(
    ({ value, total, bots, share }): RankedRow => ({
      key: value,
      label: labelOf(dimension, value),
      ...{ total, bots, share, isPlaceholder: value === '' },
      isChosen: isInCondition(dimension, value),
      href: hrefChoosing(dimension, value),
      excludeHref: hrefChoosing(dimension, value, true),
    }),
  )
  const other = data?.other ?? { total: 0, bots: 0 }
  if (data !== undefined && other.total + other.bots > 0) {
    rows.push({
      key: '(other)',
      label: '(other)',
      title: 'Values that came when the dimension already had 100,000 others. They are counted together.',
      ...{ ...other, share: data.total === 0 ? 0 : other.total / data.total, isPlaceholder: true, isChosen: false },
    })
  }
  const table = <Ranking title={nameOf(dimension)} rows={rows} isEmpty={data !== undefined && rows.length === 0} />
  if (!isTall) return table
  return (
    <ScrollBox label={`Table: ${nameOf(dimension)}`} scrolls="tall">
      {table}
    </ScrollBox>
  )
}

interface RestProps {
  readonly data: Breakdown
  readonly hint: string
  readonly showsMany: boolean
  onMore(): void
}

/** What the rows do not say: further values, bots, and what is missing. */
function Rest({ data: { values, total, bots, other, nextCursor, meta }, hint, showsMany, onMore }: RestProps) {
  const shown = values.reduce((sum, value) => sum + value.total, other.total)
  const hasNoValue = values.length > 0 && other.total === 0 && values.every(({ value }) => value === '')
  const { missing = 0 } = meta
  return (
    <>
      {hasNoValue && <p class="note muted">{hint}</p>}
      {missing > 0 && (
        <p class="note problem-text">
          Up to {formatCount(missing)} clicks are not included: they can no longer be read by dimension.
        </p>
      )}
      {(nextCursor !== null || showsMany || bots > 0) && (
        <p class="rest">
          {(nextCursor !== null || showsMany) && (
            <button type="button" class="small" aria-expanded={showsMany} onClick={onMore}>
              {showsMany ? 'Show fewer' : 'Show more'}
            </button>
          )}
          <span class="muted">
            {nextCursor !== null && `${formatCount(total - shown)} clicks have other values. `}
            {bots > 0 && `Bots, not included: ${formatCount(bots)}`}
          </span>
        </p>
      )}
    </>
  )
}

/** Saves all values as CSV, with the filters that are in force. */
function SaveButton({ dimension }: { dimension: string }) {
  const problem = useSignal<string | undefined>(undefined)
  const isBusy = useSignal(false)
  const save = async () => {
    isBusy.value = true
    problem.value = undefined
    try {
      saveCsv(`clicks-by-${dimension}.csv`, [[dimension, 'clicks', 'bots'], ...(await allRows(dimension))])
    } catch (error) {
      problem.value = describe(error)
    } finally {
      isBusy.value = false
    }
  }
  return (
    <div class="actions">
      {problem.value !== undefined && (
        <span class="problem-text" role="alert">
          {problem.value}
        </span>
      )}
      <button type="button" disabled={isBusy.value} onClick={() => void save()}>
        CSV
      </button>
    </div>
  )
}

/** The first 10,000 values, and those that are counted together. @throws {RequestProblem} */
async function allRows(dimension: string): Promise<(readonly [string, number, number])[]> {
  const rows: (readonly [string, number, number])[] = []
  let cursor: string | undefined
  for (let page = 1; ; page++) {
    const { values, other, nextCursor } = await request<Breakdown>(urlOf(dimension, valuesPerPage, cursor))
    rows.push(...values.map(({ value, total, bots }) => [value, total, bots] as const))
    if (nextCursor === null || page === mostPages) {
      return other.total + other.bots === 0 ? rows : [...rows, ['(other)', other.total, other.bots]]
    }
    cursor = nextCursor
  }
}
