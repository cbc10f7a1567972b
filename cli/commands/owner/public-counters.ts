import type { PublicCounter } from '@clicktally/operations/owner/public-counter-operations.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'

interface CreateOptions {
  readonly slug?: string
  readonly project?: string
  readonly target?: string
  readonly days?: number
  readonly label?: string
  readonly json?: true
}

const columns: Column[] = [
  { title: 'slug', align: 'left' },
  { title: 'project', align: 'left', flexible: true },
  { title: 'target', align: 'left', flexible: true },
  { title: 'days', align: 'right' },
  { title: 'label', align: 'left', flexible: true },
]

export function registerPublicCounters(program: Command, context: CliContext): void {
  const counters = program
    .command('public-counters')
    .description('lists, creates and deletes counts that anyone may read')
  counters
    .command('list')
    .description('lists the public counters')
    .option('--project <name>', 'only those of this project')
    .option('--json', 'print one JSON object per line')
    .action(async ({ project, json }: { readonly project?: string; readonly json?: true }) => {
      const api = await HttpApi.find(context)
      const { publicCounters } = await api.call('listPublicCounters', { querystring: { project } })
      if (json) for (const counter of publicCounters) context.print(jsonLine(counter))
      else if (publicCounters.length === 0) context.print('There are no public counters.')
      else for (const line of renderTable(columns, publicCounters.map(cells))) context.print(line)
    })
  counters
    .command('create')
    .description('lets anyone read the count of a target, or of all targets, and prints the URL of its badge')
    .option('--slug <name>', 'the name in the URL (default: a random one, which nobody can guess)')
    .option('--project <name>', 'the project that is counted (default: "default")')
    .option('--target <target>', 'count only this target')
    .option('--days <number>', 'count only the last days, today included', wholeNumber)
    .option('--label <text>', 'the text on the badge (default: "clicks")')
    .option('--json', 'print the counter as a JSON object')
    .action(async ({ json, ...body }: CreateOptions) => {
      const api = await HttpApi.find(context)
      const counter = await api.call('createPublicCounter', { body })
      context.print(json ? jsonLine(counter) : new URL(`c/${counter.slug}.svg`, api.baseUrl).href)
    })
  counters
    .command('delete')
    .description('makes a counter private again; clicks and counts stay')
    .argument('<slug>', 'from "public-counters list"')
    .action(async (slug: string) => {
      await (await HttpApi.find(context)).call('deletePublicCounter', { params: { slug } })
      context.print(`The public counter "${slug}" was deleted.`)
    })
}

function cells({ slug, project, target, days, label }: PublicCounter): string[] {
  return [slug, project, target ?? '(all)', days?.toString() ?? '', label]
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
