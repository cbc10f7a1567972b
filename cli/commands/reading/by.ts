import type { Breakdown } from '@clicktally/operations/read-operations.ts'
import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, Option } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { asOfLine, missingLines, rangeLine } from '../../reading/answer-lines.ts'
import { bar } from '../../reading/bar.ts'
import { change } from '../../reading/change.ts'
import { csvLine } from '../../reading/csv.ts'
import { addReadOptions, type ReadOptions, rangesOf, readQuery } from '../../reading/read-options.ts'
import { valueList } from '../../reading/target-options.ts'

interface Options extends ReadOptions {
  readonly limit: number
  readonly visitors?: true
  readonly csv?: true
}

type Row = Breakdown['values'][number] & { readonly was?: number | undefined }

const barColumns = 20

export function registerBy(program: Command, context: CliContext): void {
  addReadOptions(program.command('by'))
    .description('breaks clicks down by the values of a dimension')
    .argument(
      '<dimension>',
      'country, browser, os, device, referrer, channel, host, path, utm_source, …, target, or props.<name>',
    )
    .option('--limit <n>', 'number of values, 1 to 1,000', wholeNumber(1, 1_000), 10)
    .option('--visitors', 'count visitors too')
    .addOption(new Option('--csv', 'print CSV').conflicts('json'))
    .action(async (dimension: string, options: Options) => {
      const api = await HttpApi.find(context, options)
      const { limit, visitors, filter = [] } = options
      const { range, before } = rangesOf(options)
      const querystring = { ...readQuery(options, range), limit, visitors }
      const breakdown = await api.call('getBreakdown', { params: { dimension }, querystring })
      const rows: Row[] = []
      for (const row of breakdown.values) {
        const ofValue = { ...options, filter: [...filter, `${dimension}:is:${valueList([row.value])}`] }
        const query = before && readQuery(ofValue, before)
        rows.push(query ? { ...row, was: (await api.call('getCounts', { querystring: query })).total } : row)
      }
      if (options.json) context.print(jsonLine({ ...breakdown, values: rows }))
      else if (options.csv) for (const line of csv(dimension, rows)) context.print(line)
      else for (const line of table(breakdown, rows)) context.print(line)
    })
}

function table(breakdown: Breakdown, rows: readonly Row[]): string[] {
  const { dimension, total, meta } = breakdown
  if (rows.length === 0) return ['There are no such clicks.', '', rangeLine(meta), asOfLine(meta)]
  const withVisitors = rows[0]?.visitors !== undefined
  const withChange = rows[0]?.was !== undefined
  const columns: Column[] = [
    { title: dimension, align: 'left', flexible: true },
    { title: 'clicks', align: 'right' },
    { title: 'share', align: 'right' },
    { title: '', align: 'left' },
    { title: 'bots', align: 'right' },
    ...(withVisitors ? [{ title: 'visitors', align: 'right' } as const] : []),
    ...(withChange ? [{ title: 'change', align: 'right' } as const] : []),
  ]
  const most = Math.max(1, ...rows.map((row) => row.total))
  const cells = rows.map((row) => [
    ...[row.value === '' ? '(none)' : row.value, formatCount(row.total), percent(row.share)],
    ...[bar(row.total / most, barColumns).padEnd(barColumns), formatCount(row.bots)],
    ...(withVisitors ? [formatCount(row.visitors ?? 0)] : []),
    ...(withChange ? [change(row.total, row.was ?? 0)] : []),
  ])
  return [
    ...renderTable(columns, [...cells, ...restCells(breakdown)]),
    '',
    `${formatCount(total)} clicks, ${rangeLine(meta)}`,
    asOfLine(meta),
    ...missingLines(meta),
  ]
}

/** Rows for the clicks with values that are not listed, so that the column adds up to the total. */
function restCells({ total, bots, values, other }: Breakdown): string[][] {
  const sum = (name: 'total' | 'bots') => values.reduce((before, value) => before + value[name], 0)
  const further = { total: total - other.total - sum('total'), bots: bots - other.bots - sum('bots') }
  return [
    { label: '(further values)', ...further },
    { label: '(other)', ...other },
  ]
    .filter((rest) => rest.total > 0 || rest.bots > 0)
    .map((rest) => [
      ...[rest.label, formatCount(rest.total), percent(total === 0 ? 0 : rest.total / total)],
      ...['', formatCount(rest.bots)],
    ])
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function csv(dimension: string, rows: readonly Row[]): string[] {
  const withVisitors = rows[0]?.visitors !== undefined
  const withChange = rows[0]?.was !== undefined
  return [
    csvLine([
      ...[dimension, 'total', 'bots', 'share'],
      ...(withVisitors ? ['visitors'] : []),
      ...(withChange ? ['before'] : []),
    ]),
    ...rows.map(({ value, total, bots, share, visitors, was }) =>
      csvLine([value, total, bots, share, ...[visitors, was].filter((each) => each !== undefined)]),
    ),
  ]
}
