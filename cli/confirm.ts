import { formatCount } from '@clicktally/terminal/progress.ts'
import type { CliContext } from './cli-context.ts'
import { usageError } from './cli-error.ts'

/**
 * Asks for a yes where it was not given with `--yes`; false is a no.
 * @throws {CliError} where there is nobody to ask
 */
export async function confirmed(context: CliContext, question: string): Promise<boolean> {
  if (context.ask === undefined) throw usageError(`${question} There is no terminal to answer at: give --yes.`)
  return /^y(es)?$/i.test((await context.ask(`${question} [y/N] `)).trim())
}

/**
 * For what can't be undone: the answer is the number of things that it is about, which nobody types by habit.
 * @throws {CliError} where there is nobody to ask
 */
export async function confirmedByCount(context: CliContext, question: string, count: number): Promise<boolean> {
  if (context.ask === undefined) throw usageError(`${question} There is no terminal to answer at: give --yes.`)
  const answer = (await context.ask(`${question} Type ${formatCount(count)} to go on: `)).trim()
  return answer === String(count) || answer === formatCount(count)
}
