import { tableColumns } from '@clicktally/terminal/table.ts'

const blocks = '▁▂▃▄▅▆▇█'

/** One character for each value, at most as many as a line has: then a character is the sum of several values. */
export function sparkline(values: readonly number[]): string {
  const perCharacter = Math.max(1, Math.ceil(values.length / tableColumns))
  const sums = Array.from({ length: Math.ceil(values.length / perCharacter) }, (_, place) =>
    values.slice(place * perCharacter, (place + 1) * perCharacter).reduce((sum, value) => sum + value, 0),
  )
  const most = Math.max(1, ...sums)
  // The lowest block only for 0, so that a single click is seen.
  return sums.map((sum) => blocks[sum === 0 ? 0 : Math.max(1, Math.round((sum / most) * 7))]).join('')
}
