import type { Top } from '@clicktally/operations/read-operations.ts'
import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, Option } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { asOfLine, missingLines, rangeLine } from '../../reading/answer-lines.ts'
import { change } from '../../reading/change.ts'
import { csvLine } from '../../reading/csv.ts'
import { addReadOptions, type ReadOptions, rangesOf, readQuery } from '../../reading/read-options.ts'

interface Options extends ReadOptions {
  readonly limit: number
  readonly visitors?: true
  readonly csv?: true
}

type Row = Top['targets'][number] & { readonly was?: number | undefined }

export function registerTop(program: Command, context: CliContext): void {
  addReadOptions(program.command('top'))
    .description('lists the most clicked targets')
    .option('--limit <n>', 'number of targets, 1 to 1,000', wholeNumber(1, 1_000), 10)
    .option('--visitors', 'count visitors too')
    .addOption(new Option('--csv', 'print CSV').conflicts('json'))
    .action(async (options: Options) => {
      const api = await HttpApi.find(context, options)
      const { limit, visitors } = options
      const { range, before } = rangesOf(options)
      const top = await api.call('getTop', { querystring: { ...readQuery(options, range), limit, visitors } })
      const rows: Row[] = []
      // A target cannot be asked for together with a prefix, which it has anyway.
      const { prefix: _, ...others } = options
      for (const row of top.targets) {
        const query = before && readQuery({ ...others, target: [row.target] }, before)
        rows.push(query ? { ...row, was: (await api.call('getCounts', { querystring: query })).total } : row)
      }
      if (options.json) context.print(jsonLine({ ...top, targets: rows }))
      else if (options.csv) for (const line of csv(rows)) context.print(line)
      else for (const line of table(rows, top)) context.print(line)
    })
}

const optional = <Value>(name: 'visitors' | 'was', rows: readonly Row[], value: Value): Value[] =>
  rows.some((row) => row[name] !== undefined) ? [value] : []

function table(rows: readonly Row[], { meta }: Top): string[] {
  const columns: Column[] = [
    { title: 'target', align: 'left', flexible: true },
    { title: 'clicks', align: 'right' },
    { title: 'bots', align: 'right' },
    ...optional<Column>('visitors', rows, { title: 'visitors', align: 'right' }),
    ...optional<Column>('was', rows, { title: 'change', align: 'right' }),
  ]
  const cells = rows.map(({ target, total, bots, visitors, was }) => [
    ...[target, formatCount(total), formatCount(bots)],
    ...(visitors === undefined ? [] : [formatCount(visitors)]),
    ...(was === undefined ? [] : [change(total, was)]),
  ])
  const lines = rows.length === 0 ? ['There are no such clicks.'] : renderTable(columns, cells)
  return [...lines, '', rangeLine(meta), asOfLine(meta), ...missingLines(meta)]
}

function csv(rows: readonly Row[]): string[] {
  const { visitors, was } = { visitors: optional('visitors', rows, 'visitors'), was: optional('was', rows, 'before') }
  return [
    csvLine(['target', 'total', 'bots', ...visitors, ...was]),
    ...rows.map((row) =>
      csvLine([row.target, row.total, row.bots, ...[row.visitors, row.was].filter((each) => each !== undefined)]),
    ),
  ]
}
