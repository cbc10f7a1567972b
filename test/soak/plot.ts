/** What was measured at a time. The names are those of the plots. */
export interface Sample extends Readonly<Record<string, number>> {
  readonly minute: number
}

const [width, height, gap] = [720, 110, 34]

/** A line for each value over time, each with a scale of its own from 0, as SVG. */
export function plot(samples: readonly Sample[]): string {
  const names = Object.keys(samples[0] ?? {}).filter((name) => name !== 'minute')
  const lastMinute = Math.max(...samples.map(({ minute }) => minute))
  const charts = names.map((name, index) => {
    const values = samples.map((sample) => sample[name] ?? 0)
    const max = Math.max(1, ...values)
    const points = samples.map(({ minute }, at) => {
      const x = (minute / lastMinute) * width
      const y = height - ((values[at] ?? 0) / max) * height
      return `${x.toFixed(1)},${y.toFixed(1)}`
    })
    const range = `${name}: first ${values[0]}, last ${values.at(-1)}, most ${max}`
    return `<g transform="translate(20 ${24 + index * (height + gap)})"><text y="-6">${range}</text>
<rect width="${width}" height="${height}" fill="none" stroke="#ccc"/>
<polyline points="${points.join(' ')}" fill="none" stroke="#0a6" stroke-width="1.5"/></g>`
  })
  const full = names.length * (height + gap) + 40
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width + 40}" height="${full}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${charts.join('\n')}
<text x="20" y="${full - 8}">${lastMinute.toFixed(0)} minutes</text></svg>
`
}
