import { createInterface } from 'node:readline/promises'
import type { Output } from '@clicktally/terminal/progress.ts'
import { readConfig } from './config.ts'
import { explain } from './explain.ts'
import { runProgram } from './program.ts'

/** A single Ctrl-C may arrive twice: from the terminal and from npm, which forwards it. A second one by the user comes later. */
const sameCtrlCWithinMs = 700

/** Clears a progress bar; it reappears below. */
const clearLine = '\r\u001b[K'

const interruption = new AbortController()
let interruptionIsTaken = false
let interruptedAtMs = Number.NEGATIVE_INFINITY
for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => {
    if (Date.now() - interruptedAtMs < sameCtrlCWithinMs) return
    if (!interruptionIsTaken || interruption.signal.aborted) process.exit(exitCode)
    interruptedAtMs = Date.now()
    interruption.abort(signal)
  })
}
// `… | head` closes the pipe early, which is not an error.
process.stdout.on('error', () => process.exit(1))
process.on('exit', () => {
  // An interrupted progress bar has hidden the cursor.
  if (process.stderr.isTTY) process.stderr.write('\u001b[?25h')
})

const notices: Output = {
  line: (text) => process.stderr.write(process.stderr.isTTY ? `${clearLine}${text}\n` : `${text}\n`),
  terminal: process.stderr.isTTY ? process.stderr : undefined,
}

try {
  process.exitCode = await runProgram({
    config: readConfig(process.env),
    args: process.argv.slice(2),
    print: (line) => process.stdout.write(process.stdout.isTTY ? `${clearLine}${line}\n` : `${line}\n`),
    printed: async () => {
      if (process.stdout.writableNeedDrain) await new Promise((resolve) => process.stdout.once('drain', resolve))
    },
    notices,
    ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
    takeInterruption: () => {
      interruptionIsTaken = true
      return interruption.signal
    },
    exitCode: 0,
  })
} catch (error) {
  // An error before any command ran: the configuration.
  const { message, exitCode } = explain(error)
  notices.line(message)
  process.exitCode = exitCode
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // At a prompt, the terminal delivers Ctrl-C as a key and Ctrl-D as the end of input.
  terminal.on('SIGINT', () => process.exit(130))
  try {
    const noAnswer = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
    return await Promise.race([terminal.question(question), noAnswer])
  } finally {
    terminal.close()
  }
}
