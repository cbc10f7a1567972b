import { describeAnswers } from '@clicktally/requests/batch-sender.ts'
import type { ClickCount, TargetCounts } from '@clicktally/requests/target-counts.ts'
import { printable } from '@clicktally/terminal/printable.ts'
import { formatCount, formatDuration, labelled, perSecond } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable, tableColumns, truncateMiddle } from '@clicktally/terminal/table.ts'
import type { Sending } from './click-sender.ts'
import type { Survey } from './click-source.ts'
import type { Comparison } from './comparison.ts'
import { maxSpanMs, type Timeline } from './timeline.ts'

const maxDifferencesShown = 20
const hourMs = 3_600_000

export function describeSurvey(
  name: string,
  { counts, unreadable, firstUnreadable }: Survey,
  elapsedMs: number,
): string[] {
  const lines = [
    labelled('Reading', `${name}: ${describeCounts(counts)}, read in ${formatDuration(elapsedMs)}`),
    labelled('', `${formatCount(counts.people)} by people, ${formatCount(counts.bots)} by bots`),
  ]
  if (firstUnreadable) {
    const { lineNumber, line } = firstUnreadable
    lines.push(
      labelled('', `Skipped ${plural(unreadable, 'line')} that cannot be parsed; the first is line ${lineNumber}:`),
    )
    lines.push(labelled('', `  ${truncateMiddle(printable(line), tableColumns - 12)}`))
  }
  return lines
}

export function describeTimeline({ firstMs, lastMs }: Survey, { scale }: Timeline): string {
  const hours = (spanMs: number) => `${(spanMs / hourMs).toFixed(1)} h`
  const compressed = scale < 1 ? `compressed to ${hours(maxSpanMs)} and ` : ''
  return labelled(
    'Time',
    `${hours(lastMs - firstMs)} from the first click to the last, ${compressed}shifted to end now`,
  )
}

export function describeSending(sending: Sending): string[] {
  const { accepted, rejected, answers, elapsedMs } = sending
  const lines = [
    labelled(
      'Sending',
      `${formatCount(accepted)} accepted in ${formatDuration(elapsedMs)}, ${perSecond(accepted, elapsedMs)} clicks/s; ` +
        `responses: ${describeAnswers(answers)}`,
    ),
  ]
  for (const [code, { count, example }] of rejected) {
    lines.push(labelled('', `${formatCount(count)} REJECTED as ${code}, for example ${printable(example)}`))
  }
  return lines
}

/** Renders the API's top ten beside the source's, each in its own order. */
export function renderTops({ topCounted, topExpected }: Comparison, name: string): string[] {
  const columns: Column[] = [
    { title: '#', align: 'right' },
    { title: 'counted by the API', align: 'left', flexible: true },
    { title: 'clicks', align: 'right' },
    { title: 'bots', align: 'right' },
    { title: `expected from ${name}`, align: 'left', flexible: true },
    { title: 'clicks', align: 'right' },
    { title: 'bots', align: 'right' },
    { title: '', align: 'left' },
  ]
  const rows = Array.from({ length: Math.max(topCounted.length, topExpected.length) }, (_, index) => {
    const counted = topCounted[index]
    const expected = topExpected[index]
    const same =
      counted?.target === expected?.target && counted?.people === expected?.people && counted?.bots === expected?.bots
    const cells = [counted, expected].flatMap((ranked) =>
      ranked ? [ranked.target, formatCount(ranked.people + ranked.bots), formatCount(ranked.bots)] : ['', '', ''],
    )
    return [String(index + 1), ...cells, same ? '=' : '≠']
  })
  return ['Top targets (clicks include those of bots):', ...renderTable(columns, rows)]
}

/** Says whether all counts are equal, and otherwise lists the differences. */
export function describeComparison(comparison: Comparison, expected: TargetCounts): string[] {
  if (comparison.equal) return [`All counts are equal: ${describeCounts(expected)}.`]
  const { differences, totals } = comparison
  const sums = (label: string, { people, bots }: ClickCount) =>
    labelled('', `${label.padEnd(35)} ${formatCount(people)} by people, ${formatCount(bots)} by bots`)
  const lines = [
    `COUNTS DIFFER for ${plural(differences.length, 'target')}.`,
    sums('expected:', totals.expected),
    sums('counted, sum over targets:', totals.listed),
    sums('counted, total of the API:', totals.counted),
  ]
  if (differences.length === 0) return lines
  const columns: Column[] = [
    { title: 'target', align: 'left', flexible: true },
    { title: 'people: counted', align: 'right' },
    { title: 'expected', align: 'right' },
    { title: 'bots: counted', align: 'right' },
    { title: 'expected', align: 'right' },
  ]
  const rows = differences
    .slice(0, maxDifferencesShown)
    .map(({ target, counted, expected: wanted }) => [
      target,
      ...[counted.people, wanted.people, counted.bots, wanted.bots].map(formatCount),
    ])
  lines.push('', ...renderTable(columns, rows))
  const left = differences.length - rows.length
  if (left > 0) lines.push(`… and ${formatCount(left)} more`)
  return lines
}

/** `10,000 clicks on 1,754 targets` */
export function describeCounts({ clicks, size }: TargetCounts): string {
  return `${plural(clicks, 'click')} on ${plural(size, 'target')}`
}

function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}
