import type { Command } from 'commander'
import { usageError } from './cli-error.ts'
import { momentForms, momentOption } from './moment.ts'

export interface MinuteOptions {
  readonly from?: Date
  readonly to?: Date
}

const minuteMs = 60_000

export function addMinuteOptions(command: Command): Command {
  return command
    .option('--from <time>', `the first minute: ${momentForms}`, momentOption)
    .option('--to <time>', 'the minute before which it ends', momentOption)
}

/**
 * Whole minutes that cover what was asked for: counters are kept by the minute.
 * @throws {CliError} where there is nothing in between
 */
export function minutesFrom({ from, to }: MinuteOptions): { from: Date | undefined; to: Date | undefined } {
  const whole = {
    from: from && new Date(Math.floor(from.getTime() / minuteMs) * minuteMs),
    to: to && new Date(Math.ceil(to.getTime() / minuteMs) * minuteMs),
  }
  if (whole.from && whole.to && whole.from >= whole.to) throw usageError('--from must be before --to.')
  return whole
}
