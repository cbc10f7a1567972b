import type { Interval, Series } from '@clicktally/operations/read-operations.ts'
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { formatBucket, formatChange, formatCount } from '../format.ts'
import type { Plot } from '../plot/plot.ts'
import { isDark } from '../state/theme.ts'
import { NotLoaded } from './not-loaded.tsx'

/** What is plotted. */
export type Plotted = 'clicks' | 'visitors'

interface SeriesPlotProps {
  readonly points: Series['points']
  /** The points of the range before, to compare with; those at the same position belong together. */
  readonly previous: Series['points']
  readonly counts: Plotted
  readonly interval: Interval
  /** Called with the range that the user selected by dragging. */
  onSelect(from: Date, to: Date): void
}

/** The plot itself, loaded separately: the numbers need not wait for it. */
export function SeriesPlot({ points, previous, counts, interval, onSelect }: SeriesPlotProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot>(null)
  const pointed = useSignal<{ index: number; x: number } | undefined>(undefined)
  const hasFailed = useSignal(false)
  // By the time that the plot is loaded, or that something is selected in it, there may be others.
  const latest = useRef({ points, previous, onSelect })
  latest.current = { points, previous, onSelect }

  useEffect(() => {
    let isGone = false
    hasFailed.value = false
    import('../plot/plot.ts').then(
      ({ Plot }) => {
        if (isGone || box.current === null) return
        plot.current = new Plot(box.current, {
          onPoint: (index, x) => {
            pointed.value = index === undefined ? undefined : { index, x }
          },
          onSelect: (from, to) => latest.current.onSelect(from, to),
        })
        plot.current.show(latest.current.points, latest.current.previous)
      },
      () => {
        hasFailed.value = true
      },
    )
    return () => {
      isGone = true
      plot.current?.remove()
      plot.current = null
    }
  }, [isDark.value])

  useEffect(() => plot.current?.show(points, previous), [points, previous])

  const onKey = (event: KeyboardEvent) => {
    const point = points[pointed.value?.index ?? -1]
    if (event.key === 'Enter' && point !== undefined) onSelect(new Date(point.start), new Date(point.end))
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const index = (pointed.value?.index ?? (step > 0 ? -1 : points.length)) + step
    plot.current?.pointAt(Math.min(Math.max(index, 0), points.length - 1))
  }
  const most = Math.max(0, ...points.map(({ total }) => total))
  const at = pointed.value
  return (
    <div class="plot">
      {hasFailed.value && <NotLoaded />}
      <div
        ref={box}
        hidden={hasFailed.value}
        class="canvas"
        role="img"
        aria-label={`Plot of ${counts} in ${points.length} intervals, ${formatCount(most)} at most. Arrow keys read them, Enter zooms in. The table has the same.`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move the cursor and zoom
        tabIndex={0}
        onKeyDown={onKey}
        onBlur={() => plot.current?.pointAt(undefined)}
      />
      {at !== undefined && points[at.index] !== undefined && (
        <Tip x={at.x} point={points[at.index]} before={previous[at.index]} counts={counts} interval={interval} />
      )}
    </div>
  )
}

interface TipProps {
  /** In pixels from the left edge of the plot. */
  readonly x: number
  readonly point: Series['points'][number] | undefined
  readonly before: Series['points'][number] | undefined
  readonly counts: Plotted
  readonly interval: Interval
}

function Tip({ x, point, before, counts, interval }: TipProps) {
  if (point === undefined) return null
  const isOpen = Date.parse(point.end) > Date.now()
  return (
    <div class="tip" role="status" style={{ '--x': `${x}px` }}>
      <p class="muted">
        {formatBucket(new Date(point.start), interval)}
        {isOpen && ' (until now)'}
      </p>
      <p>
        <strong>{formatCount(point.total)}</strong> {point.total === 1 ? counts.slice(0, -1) : counts}
        {point.bots > 0 && <span class="muted">, {formatCount(point.bots)} by bots</span>}
      </p>
      {before !== undefined && (
        <p class="muted">
          before: {formatCount(before.total)}
          {!isOpen && before.total > 0 && ` (${formatChange(point.total, before.total)})`}
        </p>
      )}
    </div>
  )
}
