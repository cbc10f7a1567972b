import { median, spread } from './samples.ts'
import type { Target } from './targets.ts'

/** A figure with three digits at least, and no more decimals than tell something: `18,342`, `45.1`, `0.93`. */
export function figureText(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}

/** The median, and behind it what the rounds spread over, if they do: `18,342 (17,900–18,801)`. */
export function samplesText(samples: readonly number[]): string {
  const known = samples.filter((sample) => Number.isFinite(sample))
  if (known.length === 0) return '–'
  const middle = figureText(median(known))
  const { least, most } = spread(known)
  const [from, to] = [figureText(least), figureText(most)]
  return from === to ? middle : `${middle} (${from}–${to})`
}

/** `≥ 2.00 ×` or `≤ 150 ms` */
export function targetText({ atLeast, atMost, unit }: Target): string {
  return atLeast === undefined ? `≤ ${figureText(atMost ?? Number.NaN)} ${unit}` : `≥ ${figureText(atLeast)} ${unit}`
}

/** Whether the median holds the target. */
export function isMet({ atLeast, atMost }: Target, samples: readonly number[]): boolean {
  const figure = median(samples)
  return figure >= (atLeast ?? -Infinity) && figure <= (atMost ?? Infinity)
}
