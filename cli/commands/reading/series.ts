import {
  type Interval,
  intervals,
  type Series,
  type WeekStart,
  weekStarts,
} from '@clicktally/operations/read-operations.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, Option } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { asOfLine, bucketLabel, missingLines, rangeLine } from '../../reading/answer-lines.ts'
import { change } from '../../reading/change.ts'
import { csvLine } from '../../reading/csv.ts'
import { addReadOptions, type ReadOptions, rangesOf, readQuery } from '../../reading/read-options.ts'
import { sparkline } from '../../reading/sparkline.ts'
import type { Last } from '../../reading/time-range.ts'

interface Options extends ReadOptions {
  readonly interval?: Interval
  readonly weekStart?: WeekStart
  readonly visitors?: true
  readonly csv?: true
}

export function registerSeries(program: Command, context: CliContext): void {
  addReadOptions(program.command('series'))
    .description('counts clicks over time')
    .addOption(new Option('--interval <width>', 'width of a line; default: fits --last, else day').choices(intervals))
    .addOption(new Option('--week-start <day>', 'first day of a week').choices(weekStarts))
    .option('--visitors', 'count visitors too')
    .addOption(new Option('--csv', 'print CSV').conflicts('json'))
    .action(async (options: Options) => {
      const api = await HttpApi.find(context, options)
      const { range, before } = rangesOf(options)
      const { interval = intervalFor(options.last), weekStart, visitors } = options
      const shape = { interval, weekStart, visitors }
      const series = await api.call('getSeries', { querystring: { ...readQuery(options, range), ...shape } })
      const earlier = before && (await api.call('getCounts', { querystring: readQuery(options, before) }))
      if (options.json) context.print(jsonLine({ ...series, ...(earlier && { comparison: earlier }) }))
      else if (options.csv) for (const line of csv(series)) context.print(line)
      else {
        for (const line of table(series, interval, visitors)) context.print(line)
        if (earlier === undefined) return
        const total = totalOf(series)
        context.print(`${change(total, earlier.total)} from ${formatCount(earlier.total)}, ${rangeLine(earlier.meta)}`)
      }
    })
}

/** At most 120 lines. */
function intervalFor(last: Last | undefined): Interval {
  if (last?.unit === 'm') return last.count <= 120 ? 'minute' : 'hour'
  if (last?.unit === 'h') return last.count <= 3 ? 'minute' : last.count <= 120 ? 'hour' : 'day'
  if (last === undefined || last.count <= 120) return last?.count === 1 ? 'hour' : 'day'
  return last.count <= 840 ? 'week' : 'month'
}

function table(series: Series, interval: Interval, visitors: true | undefined): string[] {
  const { points, meta } = series
  const columns: Column[] = [
    { title: interval, align: 'left' },
    { title: 'clicks', align: 'right' },
    { title: 'bots', align: 'right' },
    ...(visitors ? [{ title: 'visitors', align: 'right' } as const] : []),
  ]
  const rows = points.map((point) => [
    bucketLabel(point.start, interval, meta.tz),
    formatCount(point.total),
    formatCount(point.bots),
    ...(visitors ? [formatCount(point.visitors ?? 0)] : []),
  ])
  return [
    ...renderTable(columns, rows),
    '',
    sparkline(points.map((point) => point.total)),
    `${formatCount(totalOf(series))} clicks, ${rangeLine(meta)}`,
    asOfLine(meta),
    ...missingLines(meta),
  ]
}

function totalOf({ points }: Series): number {
  return points.reduce((sum, { total }) => sum + total, 0)
}

function csv({ points }: Series): string[] {
  const withVisitors = points[0]?.visitors !== undefined
  return [
    csvLine(['start', 'end', 'total', 'bots', ...(withVisitors ? ['visitors'] : [])]),
    ...points.map(({ start, end, total, bots, visitors }) =>
      csvLine([start, end, total, bots, ...(visitors === undefined ? [] : [visitors])]),
    ),
  ]
}
