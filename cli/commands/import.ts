import { VisitorKeyError } from '@clicktally/access-log/visitor-key.ts'
import { CountsReader } from '@clicktally/requests/counts-reader.ts'
import { RequestError } from '@clicktally/requests/request-error.ts'
import { waitForMoment } from '@clicktally/requests/wait-for-moment.ts'
import { TextFileError } from '@clicktally/text-file/text-file-error.ts'
import { type Command, Option } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { CliError, usageError } from '../cli-error.ts'
import { csvColumns } from '../import/formats/csv-events.ts'
import { type ImportFormat, importFormats } from '../import/formats/import-format.ts'
import { findInput } from '../import/import-input.ts'
import { describeImport } from '../import/import-report.ts'
import { type ImportOptions, ImportRun } from '../import/import-run.ts'
import { zoneOption } from '../reading/read-options.ts'
import { addAccessOptions, findHttpAccess, type GivenAccess, type HttpAccess } from '../system/http-access.ts'

interface Options extends GivenAccess {
  readonly format?: ImportFormat
  readonly source: string
  readonly pageviews?: true
  readonly tz: string
  readonly rejects?: string
  readonly restart?: true
  readonly wait?: true
}

/** How long to wait while the counts make no progress. */
const countPatienceMs = 60_000
const minuteMs = 60_000

const help = `
Formats, plain or gzip, detected from the first lines:
  ndjson  an event a line, as POST /v1/backfill takes it
  csv     the first line names the columns: ${csvColumns}
  log     a web server's access log, common or combined format: each line is a click, its path the target
  plausible    imported_custom_events_….csv and imported_pages_….csv of its export
  umami        Umami Cloud's export, or its table website_event as CSV
  goatcounter  its CSV export of single page views
  matomo       visits of Live.getLastVisitsDetails, one a line
The import, and docs/importing.md, say what the last four formats contain and lack.

A click without an id gets one derived from its time, line number and content. So you can import a file again, even after it has
grown: nothing is counted twice. A line that has moved is a different click: do not insert or remove lines. If two sources can have
the same line at the same position, name them with --source.

The last line of a CSV file may be cut while the file is being written. Without a line break it is rejected (line_incomplete), unless
its last column is occurredAt or id, which show whether they are cut. If the file is complete, add a line break, or import it as
standard input.

Visitors in a log are identified by address. Addresses are not sent: visitor ids are derived from them with the key in
$XDG_STATE_HOME/clicktally/visitor-key (default: ~/.local/state), which the first import creates. Keep the key: with a different one,
the same log gives different visitors and different clicks.

To resume an interrupted import, run the same command again, with the same key. With another key it starts over, because a key may
belong to another project or to a new system. If you have emptied a system and kept its keys, use --restart.
Exit code: 0 all lines accepted, 1 some rejected or the import did not finish, 130 Ctrl-C.`

export function registerImport(program: Command, context: CliContext): void {
  addAccessOptions(program.command('import'))
    .description('imports old clicks from files: NDJSON, CSV, or access logs')
    .argument('<file...>', '- is standard input')
    .addOption(new Option('--format <format>', 'what the files are').choices(importFormats))
    .option('--source <name>', 'distinguishes the ids of records without ids from those of other sources', '')
    .option('--pageviews', 'counts page views of other counters too, as clicks on "page: PATH"')
    .option('--tz <zone>', 'time zone of dates without a time (Plausible: that of the site)', zoneOption, 'UTC')
    .option(
      '--rejects <file>',
      'writes lines that cannot be imported to this file, as NDJSON with number, reason and text',
    )
    .option('--restart', 'start over instead of resuming an interrupted import')
    .option('--wait', 'wait until everything is counted')
    .addHelpText('after', help)
    .action(async (paths: string[], options: Options) => {
      try {
        await importFiles(context, paths, options)
      } catch (error) {
        if (error instanceof RequestError || error instanceof TextFileError || error instanceof VisitorKeyError) {
          throw new CliError(error.message, 1, { cause: error })
        }
        throw error
      }
    })
}

async function importFiles(context: CliContext, paths: readonly string[], options: Options): Promise<void> {
  const twice = paths.find((path, index) => paths.indexOf(path) !== index)
  if (twice !== undefined) throw usageError(`${twice} is given twice.`)
  const inputs: ImportOptions['inputs'][number][] = []
  // Check all files before sending anything, to report a wrong name at once.
  for (const path of paths) inputs.push(await findInput(path, process.stdin))
  const { baseUrl, key } = await findHttpAccess(context, options)
  const signal = context.takeInterruption()
  const run = await ImportRun.prepare({
    inputs,
    format: options.format,
    choices: { source: options.source, pageviews: options.pageviews === true, timeZone: options.tz },
    endpoint: new URL('v1/backfill', baseUrl),
    key,
    stateDir: context.config.stateDir,
    restart: options.restart === true,
    rejectsPath: options.rejects,
    notices: context.notices,
    signal,
  })
  try {
    await run.send()
  } catch (error) {
    if (run.tally.accepted + run.tally.rejected > 0) {
      for (const line of describeImport(run.tally, inputs)) context.print(line)
      context.notices.line(
        run.canContinue
          ? 'The import is incomplete: run the same command to resume it.'
          : 'The import is incomplete: run it again. Counted clicks are not counted twice.',
      )
    }
    if (!signal.aborted) throw error
    context.exitCode = 130
    return
  }
  for (const line of describeImport(run.tally, inputs)) context.print(line)
  if (run.tally.rejected > 0) context.exitCode = 1
  if (options.wait) await waitUntilCounted(context, { baseUrl, key }, run.tally.endedAtMs, signal)
}

async function waitUntilCounted(
  context: CliContext,
  { baseUrl, key }: HttpAccess,
  endedAtMs: number,
  signal: AbortSignal,
): Promise<void> {
  const nowMs = Math.floor(Date.now() / minuteMs) * minuteMs
  // The counting progress does not depend on the range.
  const reader = new CountsReader(baseUrl.href, key, { fromMs: nowMs, toMs: nowMs + minuteMs }, countPatienceMs, signal)
  try {
    const startedAtMs = performance.now()
    if (await waitForMoment(reader, endedAtMs, countPatienceMs, signal)) {
      context.print(`Counted   everything, ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s later`)
      return
    }
    context.notices.line(
      `Not everything is counted yet, and nothing was counted for ${countPatienceMs / 1000} s. The clicks are safe and will be counted later.`,
    )
    context.exitCode = 1
  } catch (error) {
    if (!signal.aborted) throw error
    context.exitCode = 130
  }
}
