import { printableLines } from '@clicktally/terminal/printable.ts'
import { Command, CommanderError } from 'commander'
import type { CliContext } from './cli-context.ts'
import { registerBalance } from './commands/balance.ts'
import { registerDead } from './commands/dead.ts'
import { registerImport } from './commands/import.ts'
import { registerRebuild } from './commands/rebuild.ts'
import { registerVerify } from './commands/verify.ts'
import { explain } from './explain.ts'

const help = `
Where the system is:
  1. CLICKTALLY_DATABASE_URL, CLICKTALLY_BROKER_URL … where they are set (see .env.example),
  2. else what "npm start" runs in this folder,
  3. else the containers of this folder's docker-compose.yml.

For scripts: npm run --silent clicktally -- <command> --json

Exit code: 0 fine, 1 a difference, a loss or a failure, 2 wrong usage, 130 Ctrl-C.`

/** Runs the command that the context's arguments name, and returns the exit code. Throws nothing. */
export async function runProgram(given: CliContext): Promise<number> {
  const context = withPrintableOutput(given)
  try {
    await createProgram(context).parseAsync(context.args, { from: 'user' })
    return context.exitCode
  } catch (error) {
    // It has said itself what was wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { message, exitCode } = explain(error)
    if (message !== '') context.notices.line(message)
    return exitCode
  }
}

/** Nothing that a click, a file or a server brought may act on the terminal, whichever command shows it. */
function withPrintableOutput(context: CliContext): CliContext {
  const { print, notices } = context
  return {
    ...context,
    print: (line) => print(printableLines(line)),
    notices: { ...notices, line: (text) => notices.line(printableLines(text)) },
  }
}

/** The command line: every command registers itself here. */
function createProgram(context: CliContext): Command {
  const program = new Command('clicktally')
    .description('For operators of Clicktally: npm run clicktally -- <command>')
    .exitOverride()
    .showHelpAfterError('(--help shows how)')
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.notices.line(text.trimEnd()),
    })
    .addHelpText('after', help)
  registerDead(program, context)
  registerBalance(program, context)
  registerVerify(program, context)
  registerRebuild(program, context)
  registerImport(program, context)
  return program
}
