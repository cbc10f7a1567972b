import { printable } from '@clicktally/terminal/printable.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { LetterTotal } from '../queries/letters/letter-totals.ts'

/** `12 letters (34 clicks): refused_by_database 10, undecodable 2` */
export function describeTotals(letters: number, clicks: number, totals: readonly LetterTotal[]): string {
  const parts = totals.map(({ reason, letters }) => `${printable(reason)} ${formatCount(letters)}`)
  return `${describeLetters(letters, clicks)}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`
}

/** `1 letter (3 clicks)` */
export function describeLetters(letters: number, clicks: number): string {
  return `${plural(letters, 'letter')} (${plural(clicks, 'click')})`
}

/** `1 click`, `2,000 clicks` */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}
