import { printableLines } from '@clicktally/terminal/printable.ts'
import { Command, CommanderError } from 'commander'
import type { CliContext } from './cli-context.ts'
import { registerArchive } from './commands/archive.ts'
import { registerBackup } from './commands/backup.ts'
import { registerBalance } from './commands/counters/balance.ts'
import { registerRebuild } from './commands/counters/rebuild.ts'
import { registerVerify } from './commands/counters/verify.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerImport } from './commands/import.ts'
import { registerDead } from './commands/letters/dead.ts'
import { registerAudit } from './commands/owner/audit.ts'
import { registerKeys } from './commands/owner/keys.ts'
import { registerLinks } from './commands/owner/links.ts'
import { registerProjects } from './commands/owner/projects.ts'
import { registerPublicCounters } from './commands/owner/public-counters.ts'
import { registerThresholds } from './commands/owner/thresholds.ts'
import { registerUsers } from './commands/owner/users.ts'
import { registerWebhooks } from './commands/owner/webhooks.ts'
import { registerBy } from './commands/reading/by.ts'
import { registerCount } from './commands/reading/count.ts'
import { registerLive } from './commands/reading/live.ts'
import { registerMcp } from './commands/reading/mcp.ts'
import { registerSeries } from './commands/reading/series.ts'
import { registerTop } from './commands/reading/top.ts'
import { registerSend } from './commands/send.ts'
import { registerStatus } from './commands/status.ts'
import { registerVisitors } from './commands/visitors.ts'
import { explain } from './explain.ts'
import manifest from './package.json' with { type: 'json' }

const help = `
Where the system is:
  1. CLICKTALLY_URL, CLICKTALLY_DATABASE_URL, CLICKTALLY_BROKER_URL … where they are set (see .env.example),
  2. else what "npm start" runs in this folder,
  3. else the containers of this folder's docker-compose.yml.

For scripts: npm run --silent clicktally -- <command> --json

Exit code: 0 fine, 1 a difference, a loss or a failure, 2 wrong usage, 130 Ctrl-C.`

/** Runs the command and returns the exit code. Never throws. */
export async function runProgram(given: CliContext): Promise<number> {
  const context = withPrintableOutput(given)
  try {
    await createProgram(context).parseAsync(context.args, { from: 'user' })
    return context.exitCode
  } catch (error) {
    // Commander has already printed the error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { message, exitCode } = explain(error)
    if (message !== '') context.notices.line(message)
    return exitCode
  }
}

/** Replaces control characters in all output, since it may contain text from clicks, files or servers. */
function withPrintableOutput(context: CliContext): CliContext {
  const { print, notices } = context
  return {
    ...context,
    print: (line) => print(printableLines(line)),
    notices: { ...notices, line: (text) => notices.line(printableLines(text)) },
  }
}

/** Registers all commands. */
function createProgram(context: CliContext): Command {
  const program = new Command('clicktally')
    .description('Sends clicks, reads counts and operates Clicktally: npm run clicktally -- <command>')
    .version(manifest.version, '--version', 'prints the version')
    .exitOverride()
    .showHelpAfterError('(--help shows how)')
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.notices.line(text.trimEnd()),
    })
    .addHelpText('after', help)
  registerSend(program, context)
  registerCount(program, context)
  registerSeries(program, context)
  registerTop(program, context)
  registerBy(program, context)
  registerLive(program, context)
  registerMcp(program, context)
  registerDead(program, context)
  registerStatus(program, context)
  registerDoctor(program, context)
  registerBalance(program, context)
  registerVerify(program, context)
  registerRebuild(program, context)
  registerVisitors(program, context)
  registerImport(program, context)
  registerArchive(program, context)
  registerBackup(program, context)
  registerKeys(program, context)
  registerProjects(program, context)
  registerPublicCounters(program, context)
  registerLinks(program, context)
  registerWebhooks(program, context)
  registerThresholds(program, context)
  registerUsers(program, context)
  registerAudit(program, context)
  return program
}
