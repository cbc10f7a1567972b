import { Command, InvalidArgumentError } from 'commander'

export interface Options {
  /** Numbers of the scenarios to run; undefined runs all. */
  readonly only?: readonly number[]
  /** Words in the names of the rows to run; undefined runs all rows of the scenarios. */
  readonly row?: readonly string[]
  readonly short: boolean
  readonly list: boolean
  /** Whether the document gets the rows of a run that is not complete. It always gets those of a complete one. */
  readonly write: boolean
}

/** @param documentPath of what a full run writes, below the root of the repository */
export function createCommand(name: string, description: string, documentPath: string): Command {
  return new Command(`${name} --`)
    .description(`${description} A full run writes ${documentPath}.`)
    .option('--only <numbers>', 'run only these scenarios, such as 3,5; does not write the document', scenarioNumbers)
    .option(
      '--row <words...>',
      'run only rows whose name contains one of these, such as "leader silent" killed; does not write the document',
    )
    .option('--short', 'seconds instead of minutes, fewer repetitions; does not write the document', false)
    .option('--write', `write the rows to ${documentPath} despite --only, --row or --short; it keeps the others`, false)
    .option('--list', 'list the scenarios', false)
}

function scenarioNumbers(text: string): number[] {
  if (!/^\d{1,2}(,\d{1,2})*$/.test(text)) {
    throw new InvalidArgumentError('Expected numbers of scenarios, such as 3,5.')
  }
  return text.split(',').map(Number)
}

/** Whether it runs every row in full: its results replace all that the document has. */
export function isComplete({ only, row, short }: Options): boolean {
  return only === undefined && row === undefined && !short
}

export function writesDocument(options: Options): boolean {
  return options.write || isComplete(options)
}

/** Whether a row is to be run. @param words one of which its name must contain, in any case; undefined chooses all */
export function isChosen(row: string, words: readonly string[] | undefined): boolean {
  return words?.some((each) => row.toLowerCase().includes(each.toLowerCase())) ?? true
}
