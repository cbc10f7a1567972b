import type { Link } from '@clicktally/operations/owner/link-operations.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import type { Command } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'

interface CreateOptions {
  readonly slug?: string
  readonly target?: string
  readonly project?: string
  readonly json?: true
}

const columns: Column[] = [
  { title: 'slug', align: 'left' },
  { title: 'project', align: 'left', flexible: true },
  { title: 'target', align: 'left', flexible: true },
  { title: 'leads to', align: 'left', flexible: true },
]

export function registerLinks(program: Command, context: CliContext): void {
  const links = program.command('links').description('lists, creates and deletes links that count and redirect')
  links
    .command('list')
    .description('lists the links')
    .option('--project <name>', 'only those of this project')
    .option('--json', 'print one JSON object per line')
    .action(async ({ project, json }: { readonly project?: string; readonly json?: true }) => {
      const api = await HttpApi.find(context)
      const { links } = await api.call('listLinks', { querystring: { project } })
      if (json) for (const link of links) context.print(jsonLine(link))
      else if (links.length === 0) context.print('There are no links.')
      else for (const line of renderTable(columns, links.map(cells))) context.print(line)
    })
  links
    .command('create')
    .description('creates a link and prints its URL')
    .argument('<url>', 'where the link leads to')
    .option('--slug <name>', 'the name in the URL (default: a random one)')
    .option('--target <target>', 'what a visit is counted as (default: "link: " and the name)')
    .option('--project <name>', 'the project that is counted (default: "default")')
    .option('--json', 'print the link as a JSON object')
    .action(async (url: string, { json, ...rest }: CreateOptions) => {
      const api = await HttpApi.find(context)
      const link = await api.call('createLink', { body: { url, ...rest } })
      context.print(json ? jsonLine(link) : new URL(`l/${link.slug}`, api.baseUrl).href)
    })
  links
    .command('delete')
    .description('deletes a link; its clicks stay counted')
    .argument('<slug>', 'from "links list"')
    .action(async (slug: string) => {
      await (await HttpApi.find(context)).call('deleteLink', { params: { slug } })
      context.print(`The link "${slug}" was deleted.`)
    })
}

function cells({ slug, project, target, url }: Link): string[] {
  return [slug, project, target, url]
}
