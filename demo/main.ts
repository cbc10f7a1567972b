import { VisitorKeyError } from '@clicktally/access-log/visitor-key.ts'
import { ClientError } from '@clicktally/client/client-error.ts'
import { printableLines } from '@clicktally/terminal/printable.ts'
import type { Output } from '@clicktally/terminal/progress.ts'
import { TextFileError } from '@clicktally/text-file/text-file-error.ts'
import { readConfig } from './config.ts'
import { runDemo } from './demo.ts'
import { DemoError } from './demo-error.ts'
import { parseOptions, usage } from './options.ts'

const stop = new AbortController()
// Once: whoever presses Ctrl-C again wants the process to end at once, as it does without a listener.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(signal))
// `npm run demo | head` closes the pipe early, which is no reason for a stack trace.
process.stdout.on('error', () => process.exit(1))

const output: Output = {
  line: (text) => process.stdout.write(`${printableLines(text)}\n`),
  // A bar moves on stderr, so that stdout can be kept in a file all the same.
  terminal: process.stderr.isTTY ? process.stderr : undefined,
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'help') {
    output.line(usage)
  } else {
    const { equal } = await runDemo({ ...options, ...readConfig(process.env) }, output, stop.signal)
    output.line(equal ? '\nEqual, to the click.' : '\nNot equal.')
    process.exitCode = equal ? 0 : 1
  }
} catch (error) {
  if (stop.signal.aborted) {
    output.line('\nStopped. What was accepted until now stays counted.')
    process.exitCode = 130
  } else if (
    error instanceof DemoError ||
    error instanceof ClientError ||
    error instanceof TextFileError ||
    error instanceof VisitorKeyError
  ) {
    process.stderr.write(`${printableLines(error.message)}\n`)
    process.exitCode = 1
  } else {
    throw error
  }
}
