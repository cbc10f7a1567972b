/** What was measured at a time, by the keys of `series`. */
export interface Sample extends Readonly<Record<string, number>> {
  readonly minute: number
}

/** What is measured. */
export const series = [
  { key: 'memory_mb', label: 'Memory of the services, MB' },
  { key: 'database_without_live_clicks_mb', label: "Database without today's raw clicks, MB" },
  { key: 'live_clicks_mb', label: "Today's raw clicks, which are kept, MB" },
  { key: 'connections', label: 'Connections to PostgreSQL' },
  { key: 'dead_rows', label: 'Dead rows in all tables' },
  { key: 'partitions', label: 'Partitions of raw clicks' },
  { key: 'archived_clicks', label: 'Clicks archived and removed' },
] as const

const [width, height, left, gap] = [640, 84, 70, 46]

/** A line for each value over time, each with a scale of its own from 0, as SVG that follows the reader's colour scheme. */
export function plot(samples: readonly Sample[]): string {
  const lastMinute = Math.max(1, ...samples.map(({ minute }) => minute))
  const charts = series.map(({ key, label }, index) => {
    const values = samples.map((sample) => sample[key] ?? 0)
    const max = roundCeiling(Math.max(1, ...values))
    const points = samples.map(({ minute }, at) => {
      const x = left + (minute / lastMinute) * width
      const y = height - ((values[at] ?? 0) / max) * height
      return `${x.toFixed(1)},${y.toFixed(1)}`
    })
    const grid = [0, 0.5, 1].map((share) => {
      const y = height - share * height
      return `<line class="grid" x1="${left}" y1="${y}" x2="${left + width}" y2="${y}"/>
<text class="faint" x="${left - 8}" y="${y + 4}" text-anchor="end">${amount(share * max)}</text>`
    })
    return `<g transform="translate(0 ${40 + index * (height + gap)})">
<text x="${left}" y="-10">${label}</text>
${grid.join('\n')}
<polyline points="${points.join(' ')}"/>
</g>`
  })
  const full = 40 + series.length * (height + gap)
  const times = Array.from({ length: 5 }, (_, step) => (step / 4) * lastMinute)
  const axis = times.map((minute) => {
    const x = left + (minute / lastMinute) * width
    return `<text class="faint" x="${x}" y="${full - 18}" text-anchor="middle">${Math.round(minute)} min</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 30} ${full}" width="${left + width + 30}" height="${full}" role="img" aria-label="What was measured over time">
<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
.faint { font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0 }
polyline { fill: none; stroke: #0969da; stroke-width: 1.5; stroke-linejoin: round }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.faint { fill: #9198a1 }
.grid { stroke: #3d444d }
polyline { stroke: #4493f8 }
}
</style>
${charts.join('\n')}
${axis.join('\n')}
</svg>
`
}

/** The next number that begins with 1, 2 or 5 and has only zeros behind. */
function roundCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10) * power
}

function amount(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 1 })
}
