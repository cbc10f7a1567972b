import { formatCount, formatShare } from '../format.ts'
import { Change } from '../parts/change.tsx'
import { follow } from '../state/place.ts'

export interface RankedRow {
  /** Different for each row. */
  readonly key: string
  readonly label: string
  /** Whether the label is not a value that was sent, but stands for others, or for none. */
  readonly isPlaceholder?: boolean
  /** What a placeholder means. */
  readonly title?: string
  readonly total: number
  readonly bots?: number
  readonly visitors?: number | undefined
  /** Clicks in the range before, if it is known. */
  readonly before?: number | undefined
  /** 0 to 1, if it is known. */
  readonly share: number | undefined
  /** The address with the row as a filter, or without it if it is one. */
  readonly href?: string
  /** The address that counts all but the row. */
  readonly excludeHref?: string
  readonly isChosen: boolean
}

interface RankingProps {
  /** What the rows are: the heading of the first column. */
  readonly title: string
  readonly rows: readonly RankedRow[]
  /** Whether there is an answer without rows. */
  readonly isEmpty: boolean
}

/** A table with a bar behind each value, as long as its share of the longest. What stands for no value has none. */
export function Ranking({ title, rows, isEmpty }: RankingProps) {
  const most = Math.max(...rows.map(({ total, isPlaceholder }) => (isPlaceholder ? 0 : total)), 1)
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
        {rows.map((row) => (
          <tr
            key={row.key}
            style={{ '--share': row.isPlaceholder ? 0 : row.total / most }}
            class={row.isChosen ? 'chosen' : ''}
          >
            <th scope="row">
              <Label row={row} />
            </th>
            {hasVisitors && <td class="count muted">{formatCount(row.visitors ?? 0)}</td>}
            <td class="count" title={row.bots ? `and ${formatCount(row.bots)} by bots` : undefined}>
              {formatCount(row.total)}
            </td>
            <td class="count muted">{row.share !== undefined && formatShare(row.share)}</td>
            {hasTrend && (
              <td class="count trend" title={`${formatCount(row.before ?? 0)} in the range before`}>
                <Change value={row.total} before={row.before} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** The label as the link to its filter, and beside it the one that excludes it. */
function Label({ row: { label, isPlaceholder, title, href, excludeHref, isChosen } }: { row: RankedRow }) {
  const name = isPlaceholder ? 'cut muted' : 'cut'
  if (href === undefined) {
    return (
      <span class={name} title={title}>
        {label}
      </span>
    )
  }
  return (
    <span class="label">
      <a
        class={name}
        href={href}
        onClick={follow}
        title={isChosen ? 'Remove the filter' : `Count only ${label}`}
        aria-current={isChosen ? 'true' : undefined}
      >
        {label}
      </a>
      {excludeHref !== undefined && !isChosen && (
        <a class="exclude" href={excludeHref} onClick={follow} title={`Do not count ${label}`}>
          <span aria-hidden="true">−</span>
          <span class="hidden">Do not count {label}</span>
        </a>
      )}
    </span>
  )
}
