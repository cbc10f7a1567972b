import { VisitorKeyError } from '@clicktally/access-log/visitor-key.ts'
import { ClientError } from '@clicktally/client/client-error.ts'
import { CountsReader } from '@clicktally/client/counts-reader.ts'
import { waitForMoment } from '@clicktally/client/wait-for-moment.ts'
import { TextFileError } from '@clicktally/text-file/text-file-error.ts'
import { type Command, Option } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { CliError, usageError } from '../cli-error.ts'
import { findBaseUrl } from '../import/base-url.ts'
import { type ImportFormat, importFormats } from '../import/import-format.ts'
import { findInput } from '../import/import-input.ts'
import { describeImport } from '../import/import-report.ts'
import { type ImportOptions, ImportRun } from '../import/import-run.ts'

interface Options {
  readonly url?: string
  readonly format?: ImportFormat
  readonly source: string
  readonly rejects?: string
  readonly restart?: true
  readonly wait?: true
}

/** How long the counts may stand still. */
const countPatienceMs = 60_000
const minuteMs = 60_000

const help = `
Formats, plain or gzip, told by the first lines:
  ndjson  an event a line, as POST /v1/backfill takes it
  csv     the first line names the columns: target, occurredAt, id, visitorId, url, referrer, bot, props.NAME
  log     a web server's access log, common or combined format: each line is a click, its path the target

A click without an id gets one made from its time, its line's number and content. So a file can be imported again, also
when it has grown: nothing is counted twice. Lines that have moved are other clicks: do not insert or remove any in
between. Where files of two sources may have the same line at the same place, give each source a name.

The visitors of a log are told by their addresses, which are not sent: their ids are made with the key in
$XDG_STATE_HOME/clicktally/visitor-key (~/.local/state without it), which is made at first. Keep it: with another key
the same log is other visitors and other clicks.

An import that was interrupted (Ctrl-C, an error, a kill) goes on where it stopped when the same command is given again.
Exit code: 0 all accepted, 1 some lines were not, or it came to no end, 130 Ctrl-C.`

export function registerImport(program: Command, context: CliContext): void {
  program
    .command('import')
    .description('sends old clicks from files: NDJSON, CSV, or access logs')
    .argument('<file...>', '- is standard input')
    .addOption(new Option('--format <format>', 'what the files are').choices(importFormats))
    .option('--source <name>', 'part of the ids that are made', '')
    .option('--rejects <file>', 'gets every line that is not imported, as NDJSON with number, reason and text')
    .option('--restart', 'start over, though an import of these files was interrupted')
    .option('--wait', 'wait until all of it is counted')
    .option('--url <url>', 'where Clicktally is, as in http://127.0.0.1:8080')
    .addHelpText('after', help)
    .action(async (paths: string[], options: Options) => {
      try {
        await importFiles(context, paths, options)
      } catch (error) {
        if (error instanceof ClientError || error instanceof TextFileError || error instanceof VisitorKeyError) {
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
  // All of them before anything is sent: a name that is wrong is told at once.
  for (const path of paths) inputs.push(await findInput(path, process.stdin))
  const baseUrl = await findBaseUrl(context, options.url)
  const signal = context.takeInterruption()
  const run = await ImportRun.prepare({
    inputs,
    format: options.format,
    source: options.source,
    endpoint: new URL('v1/backfill', baseUrl),
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
        run.canGoOn
          ? 'It is not at its end: the same command goes on from here.'
          : 'It is not at its end: import it again. What is counted is not counted again.',
      )
    }
    if (!signal.aborted) throw error
    context.exitCode = 130
    return
  }
  for (const line of describeImport(run.tally, inputs)) context.print(line)
  if (run.tally.rejected > 0) context.exitCode = 1
  if (options.wait) await waitUntilCounted(context, baseUrl, run.tally.endedAtMs, signal)
}

async function waitUntilCounted(
  context: CliContext,
  baseUrl: URL,
  endedAtMs: number,
  signal: AbortSignal,
): Promise<void> {
  const nowMs = Math.floor(Date.now() / minuteMs) * minuteMs
  // Any range tells how far the counting is.
  const reader = new CountsReader(baseUrl.href, { fromMs: nowMs, toMs: nowMs + minuteMs }, countPatienceMs, signal)
  try {
    const startedAtMs = performance.now()
    if (await waitForMoment(reader, endedAtMs, countPatienceMs, signal)) {
      context.print(`Counted   all of it, ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s later`)
      return
    }
    context.notices.line(
      `Not all of it is counted, and for ${countPatienceMs / 1000} s nothing was. It is safe, and will be.`,
    )
    context.exitCode = 1
  } catch (error) {
    if (!signal.aborted) throw error
    context.exitCode = 130
  }
}
