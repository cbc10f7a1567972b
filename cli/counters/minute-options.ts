import type { Command } from 'commander'
import { usageError } from '../cli-error.ts'
import { momentForms, momentOption } from '../moment.ts'

export interface MinuteOptions {
  readonly from?: Date
  readonly to?: Date
}

const minuteMs = 60_000

export function addMinuteOptions(command: Command): Command {
  return command
    .option('--from <time>', `start of the time range: ${momentForms}`, momentOption)
    .option('--to <time>', 'end of the time range, exclusive', momentOption)
}

/**
 * Returns the time range, extended to whole minutes.
 *
 * @throws {CliError} if it is empty
 */
export function minutesFrom({ from, to }: MinuteOptions): { from: Date | undefined; to: Date | undefined } {
  const whole = {
    from: from && new Date(Math.floor(from.getTime() / minuteMs) * minuteMs),
    to: to && new Date(Math.ceil(to.getTime() / minuteMs) * minuteMs),
  }
  if (whole.from && whole.to && whole.from >= whole.to) throw usageError('--from must be before --to.')
  return whole
}
