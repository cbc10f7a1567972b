import { copiedFromHeader } from '@clicktally/message/message-type.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import { type CellAccess, findCells } from '../../cells/cell-access.ts'
import { moveProject } from '../../cells/move-project.ts'
import type { CliContext } from '../../cli-context.ts'
import { usageError } from '../../cli-error.ts'
import { jsonLine } from '../../json-line.ts'
import { LetterPublisher } from '../../letters/letter-publisher.ts'
import { withDatabase } from '../../system/database.ts'

interface Options {
  readonly to: string
  readonly from?: string
  readonly json?: true
}

const help = `
Clicks are accepted, counted and read during the move; asOf does not advance for a minute or more. Takes about a minute and a half
plus the time to copy the clicks. If it is interrupted, run it again to continue. To cancel before new clicks go to the new cell, run
it with the old cell as --to. The old cell keeps its copy.

Needs the databases and brokers of all cells: CLICKTALLY_CELL_DATABASE_URLS, CLICKTALLY_CELL_BROKER_URLS (see .env.example).`

export function registerProjectsMove(projects: Command, context: CliContext): void {
  projects
    .command('move')
    .description('moves a project to another cell, while clicks arrive')
    .argument('<name>', 'from "projects list"')
    .requiredOption('--to <cell>', 'the new cell')
    .option('--from <cell>', 'compare once more with a cell that it was in before')
    .option('--json', 'print what was compared as a JSON object')
    .addHelpText('after', help)
    .action(async (name: string, { to, from, json }: Options) => {
      const api = await HttpApi.find(context)
      const project = (await api.call('listProjects', {})).projects.find((each) => each.name === name)
      if (project === undefined) throw usageError(`There is no project "${name}".`)
      if (from === undefined && project.moving?.from === to) {
        if (project.cell !== to)
          throw usageError(
            `New clicks go to "${project.cell}" already. Complete that first: projects move ${name} --to ${project.cell}`,
          )
        const body = { cell: to, state: 'settled' as const }
        const kept = await api.call('moveProject', { params: { name }, body })
        context.print(json ? jsonLine(kept) : `The move was given up. "${name}" stays in ${to}.`)
        return
      }
      const cells = await findCells(context)
      const old = from ?? project.moving?.from ?? project.cell
      const [source, target] = [named(cells, old), named(cells, to)]
      if (source === target)
        throw usageError(`The project is in "${to}" already. --from names a cell that it was in before.`)
      if (from !== undefined && project.cell !== to) throw usageError('--from is for a project that has been moved.')
      const publisher = await LetterPublisher.open(target.brokerUrl, { [copiedFromHeader]: source.name })
      try {
        const { compared } = await withDatabase(source.databaseUrl, (sourceDb) =>
          withDatabase(target.databaseUrl, (targetDb) =>
            moveProject({
              ...{ api, project, to, source: sourceDb, target: targetDb, publisher },
              say: (line) => context.notices.line(line),
            }),
          ),
        )
        if (json) context.print(jsonLine({ project: name, from: source.name, to, clicks: compared }))
        else
          context.print(
            `"${name}" is in ${to}. All ${formatCount(compared)} clicks that ${source.name} has of it are there.`,
          )
      } finally {
        await publisher.close()
      }
    })
}

function named(cells: ReadonlyMap<string, CellAccess>, name: string): CellAccess {
  const cell = cells.get(name)
  if (cell !== undefined) return cell
  throw usageError(`There is no cell "${name}" in CLICKTALLY_CELL_DATABASE_URLS, only ${[...cells.keys()].join(', ')}.`)
}
