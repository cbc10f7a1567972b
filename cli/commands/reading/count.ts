import type { Counts } from '@clicktally/operations/read-operations.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { asOfLine, missingLines, rangeLine } from '../../reading/answer-lines.ts'
import { change } from '../../reading/change.ts'
import { addReadOptions, type ReadOptions, rangesOf, readQuery } from '../../reading/read-options.ts'

export function registerCount(program: Command, context: CliContext): void {
  addReadOptions(program.command('count'))
    .description('counts clicks and visitors')
    .action(async (options: ReadOptions) => {
      const api = await HttpApi.find(context, options)
      const { range, before } = rangesOf(options)
      const counts = await api.call('getCounts', { querystring: readQuery(options, range) })
      const earlier = before && (await api.call('getCounts', { querystring: readQuery(options, before) }))
      if (options.json) context.print(jsonLine({ ...counts, ...(earlier && { comparison: earlier }) }))
      else for (const line of statement(counts, earlier)) context.print(line)
    })
}

function statement(counts: Counts, earlier: Counts | undefined): string[] {
  const line = (label: string, name: 'total' | 'visitors' | 'bots') => {
    const was = earlier && `   ${change(counts[name], earlier[name])} from ${formatCount(earlier[name])}`
    return `${label.padEnd(10)}${formatCount(counts[name]).padStart(13)}${was ?? ''}`
  }
  return [
    line('clicks', 'total'),
    line('visitors', 'visitors'),
    line('bots', 'bots'),
    '',
    rangeLine(counts.meta),
    ...(earlier ? [`compared with ${rangeLine(earlier.meta)}`] : []),
    asOfLine(counts.meta),
    ...missingLines(counts.meta),
  ]
}
