import { VisitorKeyError } from '@clicktally/access-log/visitor-key.ts'
import { operatorKeyOf } from '@clicktally/cli/system/http-access.ts'
import { readConfigOrExit } from '@clicktally/config/environment.ts'
import { RequestError } from '@clicktally/requests/request-error.ts'
import { printableLines } from '@clicktally/terminal/printable.ts'
import type { Output } from '@clicktally/terminal/progress.ts'
import { TextFileError } from '@clicktally/text-file/text-file-error.ts'
import { readConfig } from './config.ts'
import { runDemo } from './demo.ts'
import { DemoError } from './demo-error.ts'
import { createCommand, type Options } from './options.ts'

const options = createCommand().parse().opts<Options>()

const stop = new AbortController()
// Once: a second Ctrl-C finds no listener and kills the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(signal))
// `npm run demo | head` closes the pipe early: exit without a stack trace.
process.stdout.on('error', () => process.exit(1))

const output: Output = {
  line: (text) => process.stdout.write(`${printableLines(text)}\n`),
  // The progress bar is drawn on stderr, so that stdout can be redirected to a file.
  terminal: process.stderr.isTTY ? process.stderr : undefined,
}

const config = readConfigOrExit(readConfig, process.env)

try {
  const key = config.key ?? (await operatorKeyOf(new URL(options.url)))
  if (key === undefined) {
    throw new DemoError(
      `No Clicktally of this folder runs at ${options.url}. Start it with npm start, or set CLICKTALLY_KEY to an owner's key of that server.`,
    )
  }
  const { equal } = await runDemo({ ...options, ...config, key }, output, stop.signal)
  output.line(equal ? `\nAll counts are equal. The dashboard shows them: ${options.url}` : '\nThe counts differ.')
  process.exitCode = equal ? 0 : 1
} catch (error) {
  if (stop.signal.aborted) {
    output.line('\nStopped. Clicks accepted so far stay counted.')
    process.exitCode = 130
  } else if (
    error instanceof DemoError ||
    error instanceof RequestError ||
    error instanceof TextFileError ||
    error instanceof VisitorKeyError
  ) {
    process.stderr.write(`${printableLines(error.message)}\n`)
    process.exitCode = 1
  } else {
    throw error
  }
}
