import { formatCount, formatShare } from '../format.ts'
import { follow } from '../state/place.ts'
import { Change } from './change.tsx'

export interface RankedRow {
  readonly label: string
  readonly total: number
  readonly visitors?: number | undefined
  /** Clicks in the range before, if it is known. */
  readonly before?: number | undefined
  /** 0 to 1 */
  readonly share: number
  /** The address with the row as a filter, or without it if it is one. */
  readonly href: string
  readonly isChosen: boolean
}

interface RankingProps {
  /** What the rows are: the heading of the first column. */
  readonly title: string
  readonly rows: readonly RankedRow[]
  /** Whether there is an answer without rows. */
  readonly isEmpty: boolean
}

/** A table with a bar behind each row, as long as its share of the longest. */
export function Ranking({ title, rows, isEmpty }: RankingProps) {
  const most = Math.max(...rows.map(({ total }) => total), 1)
  const hasTrend = rows.some(({ before }) => before !== undefined)
  const hasVisitors = rows.some(({ visitors }) => visitors !== undefined)
  if (isEmpty) return <p class="nothing">No clicks in this range.</p>
  return (
    <table class="ranking">
      <thead>
        <tr>
          <th scope="col">{title}</th>
          {hasVisitors && (
            <th scope="col" class="count">
              Visitors
            </th>
          )}
          <th scope="col" class="count">
            Clicks
          </th>
          <th scope="col" class="count">
            Share
          </th>
          {hasTrend && (
            <th scope="col" class="count trend">
              Trend
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ label, total, visitors, before, share, href, isChosen }) => (
          <tr key={label} style={{ '--share': total / most }} class={isChosen ? 'chosen' : ''}>
            <th scope="row">
              <a
                class="cut"
                href={href}
                onClick={follow}
                title={isChosen ? 'Remove the filter' : `Count only ${label}`}
              >
                {label}
              </a>
            </th>
            {hasVisitors && <td class="count muted">{formatCount(visitors ?? 0)}</td>}
            <td class="count">{formatCount(total)}</td>
            <td class="count muted">{formatShare(share)}</td>
            {hasTrend && (
              <td class="count trend" title={`${formatCount(before ?? 0)} in the range before`}>
                <Change value={total} before={before} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
