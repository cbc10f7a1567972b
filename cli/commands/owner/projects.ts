import type { Project } from '@clicktally/operations/owner/project-operations.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { usageError } from '../../cli-error.ts'
import { jsonLine } from '../../json-line.ts'
import { formatMoment } from '../../moment.ts'
import { registerProjectsMove } from './projects-move.ts'

interface Options {
  readonly rename?: string
  readonly derivesVisitors?: boolean
  /** `false`: --no-dimension. */
  readonly dimension?: string[] | false
  readonly keepRawDays?: number | 'forever'
  readonly cell?: string
  readonly json?: true
}

const columns: Column[] = [
  { title: 'name', align: 'left', flexible: true },
  { title: 'derives visitors', align: 'left' },
  { title: 'dimensions', align: 'left', flexible: true },
  { title: 'raw clicks', align: 'left' },
  { title: 'cell', align: 'left' },
  { title: 'created', align: 'left' },
]
const derive = "derive the visitor of a browser's click without visitorId from address and user agent"
const doNotDerive = 'count no visitors for clicks without visitorId'

const dimensionFlag = '--dimension <prop>'
const dimensionHelp = 'a prop by which clicks can be broken down; repeat it for several, at most 20'
const addDimension = (prop: string, others: string[] | false | undefined) => [...(others || []), prop]

const keepFlag = '--keep-raw-days <days>'
const keepHelp = 'archive and remove raw clicks after so many days, at least 8; "forever" keeps them. Counts stay'

export function registerProjects(program: Command, context: CliContext): void {
  const projects = program.command('projects').description('lists, creates and changes projects')
  projects
    .command('list')
    .description('lists the projects')
    .option('--json', 'print one JSON object per line')
    .action(async ({ json }: Options) => {
      const { projects } = await (await HttpApi.find(context)).call('listProjects', {})
      if (json) for (const project of projects) context.print(jsonLine(project))
      else for (const line of renderTable(columns, projects.map(cells))) context.print(line)
    })
  registerProjectsMove(projects, context)
  projects
    .command('create')
    .description('creates a project; its keys come from "keys create --project"')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .option('--no-derives-visitors', doNotDerive)
    .option(dimensionFlag, dimensionHelp, addDimension)
    .option(keepFlag, keepHelp, rawDays)
    .option('--cell <name>', 'where its clicks are counted, in an installation with several cells')
    .option('--json', 'print the project as a JSON object')
    .action(async (name: string, { derivesVisitors, dimension, keepRawDays, cell, json }: Options) => {
      const dimensions = dimension || undefined
      const body = { name, derivesVisitors, dimensions, keepRawDays: daysOrNull(keepRawDays), cell }
      const project = await (await HttpApi.find(context)).call('createProject', { body })
      context.print(json ? jsonLine(project) : `The project "${project.name}" was created.`)
    })
  projects
    .command('change')
    .description('renames a project, or changes its settings')
    .argument('<name>', 'from "projects list"')
    .option('--rename <name>', 'the new name; keys and clicks stay')
    .option('--derives-visitors', derive)
    .option('--no-derives-visitors', doNotDerive)
    .option(dimensionFlag, `${dimensionHelp}; replaces all that were declared before`, addDimension)
    .option('--no-dimension', 'no prop is a dimension any more')
    .option(keepFlag, keepHelp, rawDays)
    .option('--json', 'print the project as a JSON object')
    .action(async (name: string, { rename, derivesVisitors, dimension, keepRawDays, json }: Options) => {
      const dimensions = dimension === false ? [] : dimension
      const body = { name: rename, derivesVisitors, dimensions, keepRawDays: daysOrNull(keepRawDays) }
      if (Object.values(body).every((change) => change === undefined)) {
        throw usageError('Nothing to change was given (--help shows the options).')
      }
      const project = await (await HttpApi.find(context)).call('changeProject', { params: { name }, body })
      context.print(json ? jsonLine(project) : `The project "${project.name}" was changed.`)
    })
}

function cells({ name, derivesVisitors, dimensions, keepRawDays, cell, createdAt }: Project): string[] {
  const kept = keepRawDays === null ? 'for ever' : `${keepRawDays} days`
  return [name, derivesVisitors ? 'yes' : 'no', dimensions.join(' '), kept, cell, formatMoment(new Date(createdAt))]
}

/** Commander takes null for a missing value. */
function daysOrNull(days: Options['keepRawDays']): number | null | undefined {
  return days === 'forever' ? null : days
}

function rawDays(text: string): number | 'forever' {
  if (text === 'forever') return text
  const days = Number(text)
  if (/^\d{1,5}$/.test(text) && days >= 8 && days <= 36_500) return days
  throw new InvalidArgumentError('Expected "forever" or a whole number from 8 to 36500.')
}
