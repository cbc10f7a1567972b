import { type Command, InvalidArgumentError } from 'commander'
import { usageError } from '../cli-error.ts'
import { momentForms, momentOption } from '../moment.ts'
import type { LetterFilter } from '../queries/letters/matching-letters.ts'

export interface FilterOptions {
  readonly reason?: string[]
  readonly since?: Date
  readonly until?: Date
}

/** The options by which letters are chosen. */
export function addFilterOptions(command: Command): Command {
  const another = (reason: string, reasons: string[] = []) => [...reasons, reason]
  return command
    .option('--reason <reason>', 'only those that died of this reason; may be given more than once', another)
    .option('--since <time>', `only those that died at this time or later: ${momentForms}`, momentOption)
    .option('--until <time>', 'only those that died before this time', momentOption)
}

export function filterFrom({ reason, since, until }: FilterOptions): LetterFilter {
  return {
    ...(reason !== undefined && { reasons: reason }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
}

/** For an argument that may be repeated: the ids of letters. */
export function letterId(text: string, ids: number[] = []): number[] {
  const id = /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined
  if (id === undefined)
    throw new InvalidArgumentError('The id of a dead letter is a whole number, as "dead list" shows it.')
  return [...ids, id]
}

/**
 * Which letters a command that changes them is about: those named, or those that a filter finds; `--all` where it is none.
 * @throws {CliError} where nothing was chosen, or both ways at once
 */
export function choiceOf(ids: readonly number[], options: FilterOptions & { all?: boolean }): LetterFilter {
  const filter = filterFrom(options)
  const filtered = options.all === true || Object.keys(filter).length > 0
  if (ids.length > 0 && filtered)
    throw usageError('Give ids of letters, or --reason, --since, --until, --all: not both.')
  if (ids.length === 0 && !filtered) {
    throw usageError('Which letters? Give their ids (see "dead list"), or --reason, --since, --until, or --all.')
  }
  return ids.length > 0 ? { ids: [...new Set(ids)] } : filter
}
