import { median } from './samples.ts'

export interface Plot {
  readonly title: string
  /** Such as `accepted clicks/s`. */
  readonly unit: string
  readonly bars: readonly PlotBar[]
}

export interface PlotBar {
  readonly name: string
  /** One per round. */
  readonly samples: readonly number[]
  /** Highlights the bar: Clicktally itself. */
  readonly own?: boolean
}

const width = 760
const nameWidth = 250
const figureWidth = 80
const barHeight = 22
const rowHeight = 36
const headHeight = 56
const footHeight = 40
const axisSteps = 5

/**
 * Returns horizontal bars with the median and a whisker from the minimum to the maximum. Has no background and follows the
 * reader's colour scheme, so it is readable on light and dark pages.
 */
export function plotSvg({ title, unit, bars }: Plot): string {
  const shown = bars.filter(({ samples }) => samples.length > 0)
  const height = headHeight + shown.length * rowHeight + footHeight
  const most = roundCeiling(Math.max(1, ...shown.flatMap(({ samples }) => samples)))
  const x = (value: number) => round(nameWidth + (value / most) * (width - nameWidth - figureWidth))
  const described = shown.map(({ name, samples }) => `${name}: ${count(median(samples))}`).join('; ')
  const bottom = headHeight + shown.length * rowHeight
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">
<title id="title">${escaped(title)}</title>
<desc id="desc">${escaped(`Median of all rounds in ${unit}. ${described}.`)}</desc>
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.faint { fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.bar { fill: #9aa4af }
.own { fill: #0969da }
.whisker { stroke: #1f2328; stroke-width: 1.5; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.faint { fill: #9198a1 }
.grid { stroke: #3d444d }
.bar { fill: #656c76 }
.own { fill: #4493f8 }
.whisker { stroke: #f0f6fc }
}
</style>
<text class="title" x="0" y="20">${escaped(title)}</text>
<text class="faint" x="0" y="40">${escaped(`${unit}: median, minimum and maximum of all rounds`)}</text>
${Array.from({ length: axisSteps + 1 }, (_, step) => (most / axisSteps) * step)
  .map(
    (value) =>
      `<line class="grid" x1="${x(value)}" y1="${headHeight}" x2="${x(value)}" y2="${bottom}"/>
<text class="faint" x="${x(value)}" y="${bottom + 20}" text-anchor="middle">${count(value)}</text>`,
  )
  .join('\n')}
${shown.map((bar, index) => barSvg(bar, headHeight + index * rowHeight + (rowHeight - barHeight) / 2, x)).join('\n')}
</svg>
`
}

function barSvg({ name, samples, own = false }: PlotBar, top: number, x: (value: number) => number): string {
  const middle = top + barHeight / 2
  const [least, most] = [Math.min(...samples), Math.max(...samples)]
  const figure = median(samples)
  return `<text x="${nameWidth - 10}" y="${middle + 4.5}" text-anchor="end">${escaped(name)}</text>
<rect class="${own ? 'own' : 'bar'}" x="${nameWidth}" y="${top}" width="${round(x(figure) - nameWidth)}" height="${barHeight}" rx="2"/>
<path class="whisker" d="M${x(least)} ${middle - 5}v10M${x(least)} ${middle}H${x(most)}M${x(most)} ${middle - 5}v10"/>
<text x="${x(most) + 8}" y="${middle + 4.5}">${count(figure)}</text>`
}

/** Rounds up to 1, 2, 2.5 or 5 times a power of ten, for round numbers on the axis. */
function roundCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= value) ?? 10) * power
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
