import { printable } from '@clicktally/terminal/printable.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { CounterDifference, CounterValues } from '../queries/counters/counter-differences.ts'

/** A sketch of this size represents at least as many visitors. */
const fullSketch = 2_048
const widths = { bucket: 6, start: 17, project: 7, figures: 38 }

export const counterLineTitles = columns('bucket', 'from', 'project', 'the counter says', 'the clicks say', 'target')

/** Formats a difference as a line, with the target last because it may be long. */
export function counterLine({ bucket, projectId, target, start, counter, clicks }: CounterDifference): string {
  const isOtherSketch = counter !== null && clicks !== null && figures(counter) === figures(clicks)
  return columns(
    bucket,
    formatMinute(start),
    String(projectId),
    figures(counter) + (isOtherSketch ? ' (others)' : ''),
    figures(clicks),
    target === '' ? '(all targets)' : printable(target),
  )
}

/** `2026-05-17T10:05Z` */
export function formatMinute(date: Date): string {
  return `${date.toISOString().slice(0, 16)}Z`
}

function columns(
  bucket: string,
  start: string,
  project: string,
  counter: string,
  clicks: string,
  target: string,
): string {
  const { figures } = widths
  return [
    bucket.padEnd(widths.bucket),
    start.padEnd(widths.start),
    project.padStart(widths.project),
    counter.padEnd(figures),
    clicks.padEnd(figures),
    target,
  ]
    .join('  ')
    .trimEnd()
}

function figures(figures: CounterValues | null): string {
  if (figures === null) return 'nothing'
  const { total, bots, visitors } = figures
  const visitorsText = `${formatCount(visitors)}${visitors === fullSketch ? '+' : ''}`
  return `${formatCount(total)} + ${formatCount(bots)} by bots, ${visitorsText} visitors`
}
