import type { Threshold } from '@clicktally/operations/owner/threshold-operations.ts'
import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { usageError } from '../../cli-error.ts'
import { jsonLine } from '../../json-line.ts'

interface CreateOptions {
  readonly reached?: number
  readonly silent?: true
  /** Minutes. */
  readonly window: number
  readonly target?: string
  readonly project?: string
  readonly json?: true
}

const columns: Column[] = [
  { title: 'id', align: 'left' },
  { title: 'project', align: 'left', flexible: true },
  { title: 'target', align: 'left', flexible: true },
  { title: 'tells when', align: 'left' },
  { title: 'met', align: 'left' },
]

export function registerThresholds(program: Command, context: CliContext): void {
  const thresholds = program
    .command('thresholds')
    .description(
      'lists, creates and deletes thresholds: a webhook is called when a target reaches a number of clicks, or gets none',
    )
  thresholds
    .command('list')
    .description('lists the thresholds')
    .option('--project <name>', 'only those of this project')
    .option('--json', 'print one JSON object per line')
    .action(async ({ project, json }: { readonly project?: string; readonly json?: true }) => {
      const api = await HttpApi.find(context)
      const { thresholds } = await api.call('listThresholds', { querystring: { project } })
      if (json) for (const threshold of thresholds) context.print(jsonLine(threshold))
      else if (thresholds.length === 0) context.print('There are no thresholds.')
      else for (const line of renderTable(columns, thresholds.map(cells))) context.print(line)
    })
  thresholds
    .command('create')
    .description(
      'calls all webhooks of a project when a target reaches a number of clicks in a window, or gets none in it',
    )
    .addOption(
      new Option('--reached <n>', 'this many clicks by people, or more').argParser(wholeNumber(1, 2_147_483_647)),
    )
    .addOption(new Option('--silent', 'no clicks').conflicts('reached'))
    .requiredOption('--window <time>', 'length of the window, 1m to 24h, such as 30m or 2h', windowOption)
    .option('--target <target>', 'only this target; otherwise all together')
    .option('--project <name>', 'the project that is counted (default: "default")')
    .option('--json', 'print the threshold as a JSON object')
    .action(async ({ reached, silent, window, target, project, json }: CreateOptions) => {
      if (reached === undefined && !silent) throw usageError('Give --reached or --silent.')
      const type = silent ? 'silent' : 'reached'
      const body = { type, clicks: reached, windowMinutes: window, target, project } as const
      const threshold = await (await HttpApi.find(context)).call('createThreshold', { body })
      context.print(json ? jsonLine(threshold) : threshold.id)
    })
  thresholds
    .command('delete')
    .description('deletes a threshold')
    .argument('<id>', 'from "thresholds list"')
    .action(async (id: string) => {
      await (await HttpApi.find(context)).call('deleteThreshold', { params: { id } })
      context.print(`The threshold ${id} was deleted.`)
    })
}

function cells({ id, project, target, clicks, windowMinutes, isMet }: Threshold): string[] {
  const window = windowMinutes % 60 === 0 ? `${windowMinutes / 60} h` : `${windowMinutes} min`
  const condition = clicks === null ? `no clicks in ${window}` : `${formatCount(clicks)} clicks in ${window}`
  return [id, project, target ?? '(all)', condition, isMet ? 'yes' : 'no']
}

/** In minutes. */
function windowOption(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,3})([mh])$/.exec(text) ?? []
  const minutes = Number(count) * (unit === 'h' ? 60 : 1)
  if (minutes >= 1 && minutes <= 1_440) return minutes
  throw new InvalidArgumentError('Expected minutes or hours, at most a day, such as 30m or 2h.')
}
