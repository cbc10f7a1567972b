import { defaultProjectId } from '@clicktally/contract/click.ts'
import { parseRfc3339 } from '@clicktally/contract/rfc3339.ts'
import { problem } from './errors.ts'

/** Which counters a question is about. Times are whole minutes, milliseconds since 1970; the range is half-open. */
export interface CountsFilter {
  readonly projectId: number
  readonly targets: readonly string[] | undefined
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
}

const minuteMs = 60_000
const maxTargets = 100

/** Reads `target`, `from` and `to`. @throws {ServiceProblem} time_invalid, range_empty, parameter_invalid. */
export function readCountsFilter(query: { target?: string; from?: string; to?: string }): CountsFilter {
  const fromMs = query.from === undefined ? undefined : floorToMinute(readTime('from', query.from))
  // Part of a minute counts as the whole: `to=now` is to include what came this minute.
  const toMs = query.to === undefined ? undefined : floorToMinute(readTime('to', query.to) + minuteMs - 1)
  if (fromMs !== undefined && toMs !== undefined && toMs <= fromMs) {
    throw problem('range_empty', '"to" must be later than "from"; the range is half-open.', 'to')
  }
  const targets = query.target === undefined ? undefined : splitTargets(query.target)
  if (targets !== undefined && targets.length > maxTargets) {
    throw problem(
      'parameter_invalid',
      `"target" names ${targets.length} targets; at most ${maxTargets} are taken.`,
      'target',
    )
  }
  return { projectId: defaultProjectId, targets, fromMs, toMs }
}

/** The range that a filter leaves open at the ends that it does not name. */
export function rangeOf({ fromMs = -Infinity, toMs = Infinity }: CountsFilter): { fromMs: number; toMs: number } {
  return { fromMs, toMs }
}

/** `a,b` is two targets; `a\,b` is one. */
function splitTargets(text: string): string[] {
  if (text.includes('\0')) throw problem('parameter_invalid', '"target" has the character U+0000.', 'target')
  const targets = text.match(/(?:\\[\s\S]|[^,\\])+/g) ?? []
  if (targets.length === 0)
    throw problem('parameter_invalid', '"target" is empty: leave it out, or name a target.', 'target')
  return [...new Set(targets.map((target) => target.replace(/\\([\s\S])/g, '$1')))]
}

function readTime(name: string, text: string): number {
  const time = parseRfc3339(text)
  if (time === undefined) {
    throw problem(
      'time_invalid',
      `"${name}" must be a time like 2026-11-21T10:00:00Z; a + in a URL is written %2B.`,
      name,
    )
  }
  return time
}

export function floorToMinute(timeMs: number): number {
  return Math.floor(timeMs / minuteMs) * minuteMs
}
