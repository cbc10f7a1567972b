import { formatCount } from '@clicktally/terminal/progress.ts'
import type { CliContext } from './cli-context.ts'
import { usageError } from './cli-error.ts'

/**
 * Asks for confirmation.
 *
 * @throws {CliError} without a terminal
 */
export async function confirmed(context: CliContext, question: string): Promise<boolean> {
  if (context.ask === undefined) throw usageError(`${question} There is no terminal to confirm: use --yes.`)
  return /^y(es)?$/i.test((await context.ask(`${question} [y/N] `)).trim())
}

/**
 * Asks for confirmation of something irreversible: the user has to type the number of affected items.
 *
 * @throws {CliError} without a terminal
 */
export async function confirmedByCount(context: CliContext, question: string, count: number): Promise<boolean> {
  if (context.ask === undefined) throw usageError(`${question} There is no terminal to confirm: use --yes.`)
  const answer = (await context.ask(`${question} Type ${formatCount(count)} to continue: `)).trim()
  return answer === String(count) || answer === formatCount(count)
}
