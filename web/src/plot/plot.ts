import type { Series } from '@clicktally/operations/read-operations.ts'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { formatShort, formatTick } from '../format.ts'

type Points = Series['points']

interface Colors {
  readonly accent: string
  readonly faint: string
}

export interface PlotEvents {
  /** The pointer or the keyboard moved to a point, at this distance from the left edge in pixels; undefined: away. */
  onPoint(index: number | undefined, x: number): void
  /** The user dragged over a range. */
  onSelect(from: Date, to: Date): void
}

/** With more points than this, bars would be too thin: an area is drawn. */
const mostBars = 62
const height = 280

/** Bars or an area of clicks over time, with the range before behind them. Its colors come from the style sheet. */
export class Plot {
  readonly #box: HTMLElement
  readonly #events: PlotEvents
  readonly #resizes: ResizeObserver
  #plot: uPlot | undefined
  #points: Points = []
  #isBars = false

  constructor(box: HTMLElement, events: PlotEvents) {
    this.#box = box
    this.#events = events
    this.#resizes = new ResizeObserver(() => this.#plot?.setSize(this.#size()))
    this.#resizes.observe(box)
  }

  show(points: Points, previous: Points): void {
    this.#points = points
    const seconds = points.map(({ start }) => Date.parse(start) / 1_000)
    const data: uPlot.AlignedData = [
      seconds,
      points.map((_, index) => previous[index]?.total ?? null),
      points.map(({ total }) => total),
    ]
    const isBars = points.length <= mostBars
    if (this.#plot !== undefined && isBars === this.#isBars) {
      this.#plot.setData(data)
      return
    }
    this.#isBars = isBars
    this.#plot?.destroy()
    this.#plot = new uPlot(this.#options(), data, this.#box)
  }

  /** Moves the cursor to a point, or away. */
  pointAt(index: number | undefined): void {
    const start = index === undefined ? undefined : this.#points[index]?.start
    if (this.#plot === undefined) return
    const left = start === undefined ? -10 : this.#plot.valToPos(Date.parse(start) / 1_000, 'x')
    this.#plot.setCursor({ left, top: start === undefined ? -10 : 10 })
  }

  remove(): void {
    this.#resizes.disconnect()
    this.#plot?.destroy()
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(this.#box.clientWidth, 100), height }
  }

  /** The length of a bucket in seconds, about: months differ. */
  #bucketSeconds(): number {
    const [first] = this.#points
    return first === undefined ? 60 : (Date.parse(first.end) - Date.parse(first.start)) / 1_000
  }

  #options(): uPlot.Options {
    const style = getComputedStyle(this.#box)
    const color = (name: string) => style.getPropertyValue(`--${name}`).trim()
    const colors = { accent: color('accent'), faint: color('accent-faint') }
    const font = `12px ${style.fontFamily}`
    const axis = { stroke: color('muted'), font, ticks: { show: false } } as const
    return {
      ...this.#size(),
      padding: [12, 8, 0, 0],
      legend: { show: false },
      scales: {
        x: {
          time: true,
          // The last bar ends where its bucket does.
          range: (_plot, least, most) => {
            const bucket = this.#bucketSeconds()
            return this.#isBars ? [least - bucket / 2, most + bucket / 2] : [least, most]
          },
        },
        y: { range: (_plot, _least, most) => [0, Math.max((most ?? 0) * 1.08, 4)] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          gap: 8,
          size: 32,
          space: 64,
          values: (_plot, ticks, _axis, _space, step) => ticks.map((tick) => formatTick(new Date(tick * 1_000), step)),
        },
        {
          ...axis,
          grid: { stroke: color('line'), width: 1 },
          border: { show: false },
          size: 48,
          gap: 8,
          incrs: [
            1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 1e8,
          ],
          values: (_plot, values) => values.map((value) => formatShort(value)),
        },
      ],
      cursor: {
        y: false,
        points: { show: !this.#isBars, size: 8 },
        drag: { x: true, y: false, setScale: false },
      },
      series: [
        {},
        ...(this.#isBars
          ? [wideBars(color('shade')), this.#bars(colors)]
          : [{ stroke: color('ghost'), width: 1.5, dash: [4, 4], points: { show: false } }, this.#area(colors)]),
      ],
      hooks: {
        setCursor: [
          (plot) => {
            const { idx, left = -1 } = plot.cursor
            const isAway = idx === null || idx === undefined || left < 0
            const x = isAway ? 0 : plot.valToPos(plot.data[0][idx] ?? 0, 'x') + plot.over.offsetLeft
            this.#events.onPoint(isAway ? undefined : idx, x)
          },
        ],
        setSelect: [
          (plot) => {
            const { left, width } = plot.select
            if (width < 8) return
            const [from, to] = [left, left + width].map((x) => new Date(plot.posToVal(x, 'x') * 1_000)) as [Date, Date]
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false)
            this.#events.onSelect(from, to)
          },
        ],
      },
    }
  }

  /** The bucket that is still open is paler. */
  #bars({ accent, faint }: Colors): uPlot.Series {
    const bars = uPlot.paths.bars?.({
      size: [0.6, 48],
      radius: 0.18,
      disp: {
        fill: {
          unit: 3,
          values: () => this.#points.map(({ end }) => (Date.parse(end) > Date.now() ? faint : accent)),
        },
      },
    })
    return { fill: accent, width: 0, points: { show: false }, ...(bars !== undefined && { paths: bars }) }
  }

  #area({ accent, faint }: Colors): uPlot.Series {
    return {
      stroke: accent,
      width: 2,
      points: { show: false },
      fill: ({ ctx, bbox: { top, height } }) => {
        const gradient = ctx.createLinearGradient(0, top, 0, top + height)
        gradient.addColorStop(0, faint)
        gradient.addColorStop(1, 'transparent')
        return gradient
      },
    }
  }
}

/** The range before, behind the bars: what is higher than they are is seen. */
function wideBars(fill: string): uPlot.Series {
  const bars = uPlot.paths.bars?.({ size: [0.86, 68], radius: 0.12 })
  return { fill, width: 0, points: { show: false }, ...(bars !== undefined && { paths: bars }) }
}
