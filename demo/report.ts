import { describeAnswers } from '@clicktally/client/batch-sender.ts'
import type { ClickCount, TargetCounts } from '@clicktally/client/target-counts.ts'
import { printable } from '@clicktally/terminal/printable.ts'
import { formatCount, formatDuration, labelled, perSecond } from '@clicktally/terminal/progress.ts'
import { type Column, cutMiddle, renderTable, tableColumns } from '@clicktally/terminal/table.ts'
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
    const what = unreadable === 1 ? '1 line is' : `${formatCount(unreadable)} lines are`
    lines.push(labelled('', `${what} no line of an access log and left out; the first, line ${lineNumber}:`))
    lines.push(labelled('', `  ${cutMiddle(printable(line), tableColumns - 12)}`))
  }
  return lines
}

export function describeTimeline({ firstMs, lastMs }: Survey, { scale }: Timeline): string {
  const hours = (spanMs: number) => `${(spanMs / hourMs).toFixed(1)} h`
  const drawnTogether = scale < 1 ? `drawn together to ${hours(maxSpanMs)} and ` : ''
  return labelled('Time', `${hours(lastMs - firstMs)} between the first and the last, ${drawnTogether}moved to end now`)
}

export function describeSending(sending: Sending): string[] {
  const { accepted, rejected, answers, elapsedMs } = sending
  const lines = [
    labelled(
      'Sending',
      `${formatCount(accepted)} accepted in ${formatDuration(elapsedMs)}, ${perSecond(accepted, elapsedMs)} clicks/s; ` +
        `answers: ${describeAnswers(answers)}`,
    ),
  ]
  for (const [code, { count, example }] of rejected) {
    lines.push(labelled('', `${formatCount(count)} REJECTED as ${code}, among them ${printable(example)}`))
  }
  return lines
}

/** Both lists of the ten most clicked, side by side; each is sorted for itself. */
export function renderTops({ topCounted, topExpected }: Comparison, name: string): string[] {
  const columns: Column[] = [
    { title: '#', align: 'right' },
    { title: 'counted by the api', align: 'left', flexible: true },
    { title: 'clicks', align: 'right' },
    { title: 'bots', align: 'right' },
    { title: `computed from ${name}`, align: 'left', flexible: true },
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
  return ['The most clicked targets (clicks of people and bots; bots among them):', ...renderTable(columns, rows)]
}

/** Whether the ten, and then all, are equal; and where not, in what they differ. */
export function describeComparison(comparison: Comparison, expected: TargetCounts): string[] {
  if (comparison.equal) return [`The most clicked are equal. All ${describeCounts(expected)}: equal.`]
  const { differences, totals } = comparison
  const sums = (label: string, { people, bots }: ClickCount) =>
    labelled('', `${label.padEnd(35)} ${formatCount(people)} by people, ${formatCount(bots)} by bots`)
  const lines = [
    `NOT EQUAL: ${formatCount(differences.length)} targets differ.`,
    sums('to be counted:', totals.expected),
    sums('counted, as the sum of its targets:', totals.listed),
    sums('counted, as the api sums it up:', totals.counted),
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
