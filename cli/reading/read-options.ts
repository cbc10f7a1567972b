import { type Command, InvalidArgumentError, Option } from 'commander'
import { usageError } from '../cli-error.ts'
import { addTargetOptions, type TargetOptions, targetQuery } from './target-options.ts'
import { type Last, lastOption, rangeBefore, rangeOfLast, type TimeRange } from './time-range.ts'

/** What the commands that read counts have in common, as Commander collects it. */
export interface ReadOptions extends TargetOptions {
  readonly filter?: string[]
  readonly last?: Last
  readonly from?: string
  readonly to?: string
  readonly tz: string
  readonly compare?: true
  readonly json?: true
}

const readHelp = `
A filter is a dimension, "is" or "not", and values: country:is:DE,AT or browser:not:Chrome. No value stands for clicks without one,
as in referrer:is: (a backslash precedes a comma in a value). A click has to meet all filters. The dimensions are those of "by".

A time is a date, which begins at midnight in the time zone, or RFC 3339: 2026-05-17, 2026-05-17T10:05:00Z. --to is exclusive.`

export function addReadOptions(command: Command): Command {
  return addTargetOptions(command)
    .option('--filter <filter>', 'only clicks with these values; repeat it to combine filters', filterOption)
    .addOption(
      new Option('--last <time>', 'the last 30m, 24h, 7d or 4w, the current minute, hour or day included')
        .argParser(lastOption)
        .conflicts(['from', 'to']),
    )
    .option('--from <time>', 'start of the range')
    .option('--to <time>', 'end of the range')
    .option('--tz <zone>', 'time zone of dates and days, such as Europe/Paris', zoneOption, 'UTC')
    .option('--compare', 'show the change from the range before, which has the same length')
    .option('--json', 'print the answer as a JSON object')
    .addHelpText('after', readHelp)
}

/** The parameters that the queries have in common. */
export function readQuery(options: ReadOptions, range: TimeRange | undefined) {
  return { ...targetQuery(options), filter: options.filter, from: range?.from, to: range?.to, tz: options.tz }
}

/** The range of the options, and with `--compare` the one before it. */
export function rangesOf(options: ReadOptions, nowMs = Date.now()) {
  const { last, tz, from, to, compare } = options
  const range = last === undefined ? ({ from, to } as TimeRange) : rangeOfLast(last, tz, nowMs)
  if (!compare) return { range }
  if (range.from === undefined) throw usageError('--compare needs --last, or --from.')
  return { range, before: rangeBefore(range, tz, nowMs) }
}

function filterOption(text: string, others: string[] = []): string[] {
  if (!/^.+?:(is|not):/s.test(text)) {
    throw new InvalidArgumentError('Expected a dimension, "is" or "not", and values, such as country:is:DE,AT.')
  }
  return [...others, text]
}

/** Parses the value of a Commander option: an IANA time zone. */
export function zoneOption(text: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: text })
    return text
  } catch {
    throw new InvalidArgumentError('Expected a name of the IANA time zone database, such as Europe/Paris.')
  }
}
