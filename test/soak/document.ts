import { type Sample, series } from './plot.ts'

export interface SoakResult {
  /** Of the run, such as `2026-11-29 19:26, 78ee143`. */
  readonly when: string
  readonly minutes: number
  readonly clicksPerSecond: number
  readonly accepted: number
  readonly counted: number
  /** Requests without a 202. */
  readonly refused: number
  readonly dead: number
  readonly months: number
  readonly archived: number
  readonly answers: number
  readonly wrong: number
  readonly samples: readonly Sample[]
}

/** Until then the services load code, and fill pools and caches. */
const warmUpMinutes = 10

/** docs/soak.md */
export function soakDocument(result: SoakResult): string {
  const { when, minutes, clicksPerSecond, accepted, counted, refused, dead, months, archived, answers, wrong } = result
  const steady = result.samples.filter(({ minute }) => minute >= warmUpMinutes)
  const quarter = Math.ceil(steady.length / 4)
  const rows = series.map(({ key, label }) => {
    const values = steady.map((sample) => sample[key] ?? 0)
    const cells = [median(values.slice(0, quarter)), median(values.slice(-quarter)), Math.max(...values)]
    return `| ${label} | ${cells.map(count).join(' | ')} |`
  })
  return `# Soak

The whole system for hours at a constant load, while months pass in minutes: each minute the clicks of another month arrive, and the
month before the last two is archived, read back and removed. Partitions are made, packed, archived and dropped all the time. Nothing but
what is kept may grow. \`npm run soak -- --write\` generates this page.

${when}, ${count(minutes)} minutes at ${count(clicksPerSecond)} clicks/s: ${count(accepted)} clicks accepted, ${count(counted)} counted,
${count(refused)} requests without a 202, ${count(dead)} dead letters. ${count(months)} months passed, ${count(archived)} of their clicks were archived and removed.
${count(answers)} answers of the api were compared with what was sent in a month, ${count(wrong)} were wrong.

![what was measured over time](soak.svg)

| after the first ${warmUpMinutes} minutes | median of the first quarter | of the last | most |
|---|--:|--:|--:|
${rows.join('\n')}

Today's raw clicks are kept, and so are counters, columns and sums: those grow with the minutes and months that pass.
`
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 1 : 0 })
}
