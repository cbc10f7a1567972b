import { linesOf, readContent } from '@clicktally/archive/archive-content.ts'
import { ArchiveUnavailable } from '@clicktally/archive/archive-store.ts'
import type { Manifest } from '@clicktally/archive/manifest.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { type ArchiveChoice, chosenArchives, day, dayOf, withArchives } from '../archive/archive-access.ts'
import { restoreArchive } from '../archive/restore-archive.ts'
import type { CliContext } from '../cli-context.ts'
import { usageError } from '../cli-error.ts'
import { confirmed } from '../confirm.ts'
import { jsonLine, printableJson } from '../json-line.ts'
import { plural } from '../letters/letter-totals.ts'
import { withDatabase } from '../system/database.ts'
import { findSystem } from '../system/system-access.ts'

interface Options extends ArchiveChoice {
  readonly json?: true
  readonly yes?: true
  readonly keepDays?: number
}

const help = `
ARCHIVE_URL says where the archives are: file:///folder or s3://bucket/prefix (see .env.example). Each archive is a gzip file of
JSON lines, one click per line, with a manifest next to it. DuckDB can read them directly:

  select target, count(*) from read_json('/archive/project-1/*.ndjson.gz') group by target`

const columns: Column[] = [
  { title: 'project', align: 'left', flexible: true },
  { title: 'from', align: 'left' },
  { title: 'clicks', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'file', align: 'left' },
]

export function registerArchive(program: Command, context: CliContext): void {
  const archive = program
    .command('archive')
    .description('lists, verifies, reads and imports archives of raw clicks')
    .addHelpText('after', help)
  const command = (name: string, description: string) =>
    archive
      .command(name)
      .description(description)
      .option('--project <name>', 'only of this project, by its name when the archive was written')
      .option('--from <day>', 'only of partitions that begin on this day or later', day)
      .option('--to <day>', 'only of partitions that begin before this day', day)
  command('list', 'lists the archives')
    .option('--json', 'print the manifests, one JSON object per line')
    .action((options: Options) => list(context, options))
  command('verify', 'reads archives completely and compares them with their manifests').action((options: Options) =>
    verify(context, options),
  )
  command('read', 'prints the clicks of archives, one JSON object per line').action((options: Options) =>
    read(context, options),
  )
  command('import', 'puts archived clicks back among the raw clicks for some time; no count changes')
    .option('--keep-days <days>', 'after which the janitor removes them again; default: 30', wholeDays)
    .option('--yes', 'do not ask for confirmation; required without a terminal')
    .action((options: Options) => importAgain(context, options))
}

async function list(context: CliContext, options: Options): Promise<void> {
  await withArchives(context.config.archive, async (store) => {
    const manifests = await Array.fromAsync(chosenArchives(store, options))
    if (options.json) for (const manifest of manifests) context.print(jsonLine(manifest))
    else if (manifests.length === 0) context.print(`There are no matching archives in ${store.description}.`)
    else for (const line of renderTable(columns, manifests.map(cells))) context.print(line)
  })
}

function cells({ project, partition, clicks, bytes, file }: Manifest): string[] {
  return [project.name, dayOf(partition), formatCount(clicks), formatCount(bytes), file]
}

async function verify(context: CliContext, options: Options): Promise<void> {
  await withArchives(context.config.archive, async (store) => {
    const sum = { archives: 0, clicks: 0, damaged: 0 }
    for await (const manifest of chosenArchives(store, options)) {
      sum.archives += 1
      try {
        for await (const _ of readContent(store, manifest));
        sum.clicks += manifest.clicks
      } catch (error) {
        if (error instanceof ArchiveUnavailable) throw error
        sum.damaged += 1
        context.print((error as Error).message)
      }
    }
    // Without any, the place is probably not that of the archives.
    if (sum.damaged > 0 || sum.archives === 0) context.exitCode = 1
    if (sum.archives === 0) context.print(`There are no matching archives in ${store.description}.`)
    else
      context.print(
        `${plural(sum.archives, 'archive')} with ${plural(sum.clicks, 'click')}: ${sum.damaged === 0 ? 'all as their manifests say' : `${formatCount(sum.damaged)} DAMAGED`}.`,
      )
  })
}

async function read(context: CliContext, options: Options): Promise<void> {
  await withArchives(context.config.archive, async (store) => {
    for await (const manifest of chosenArchives(store, options)) {
      for await (const page of readContent(store, manifest)) {
        for (const line of linesOf(page)) context.print(printableJson(line))
        await context.printed()
      }
    }
  })
}

async function importAgain(context: CliContext, { keepDays = 30, yes, ...choice }: Options): Promise<void> {
  const { databaseUrl } = await findSystem(context, ['databaseUrl'])
  await withArchives(context.config.archive, async (store) => {
    const manifests = await Array.fromAsync(chosenArchives(store, choice))
    if (manifests.length === 0) throw usageError(`There are no matching archives in ${store.description}.`)
    const clicks = manifests.reduce((sum, manifest) => sum + manifest.clicks, 0)
    const question = `Put ${plural(clicks, 'click')} of ${plural(manifests.length, 'archive')} back for ${plural(keepDays, 'day')}?`
    if (!yes && !(await confirmed(context, question))) {
      context.print('Nothing was changed.')
      context.exitCode = 1
      return
    }
    await withDatabase(databaseUrl, async (db) => {
      const until = new Date(Date.now() + keepDays * 86_400_000)
      let restored = 0
      // Months first: days can go into the partition of their month, but that cannot be created beside theirs.
      manifests.sort((a, b) => a.partition.length - b.partition.length)
      for (const manifest of manifests) restored += await restoreArchive(db, store, manifest, until)
      context.print(
        `${plural(restored, 'click')} put back until ${until.toISOString()}, ${formatCount(clicks - restored)} were there. No count has changed.`,
      )
    })
  })
}

function wholeDays(text: string): number {
  const days = Number(text)
  if (/^\d{1,4}$/.test(text) && days > 0) return days
  throw new InvalidArgumentError('Expected a number of days from 1 to 9999.')
}
