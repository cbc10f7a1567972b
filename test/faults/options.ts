import { Command, InvalidArgumentError } from 'commander'

export interface Options {
  /** Numbers of the scenarios to run; undefined runs all. */
  readonly only?: readonly number[]
  readonly short: boolean
  readonly list: boolean
  /** Whether to write the document even if the run is not complete. A complete run always writes it. */
  readonly write: boolean
}

/** @param documentPath of what a full run writes, below the root of the repository */
export function createCommand(name: string, description: string, documentPath: string): Command {
  return new Command(`${name} --`)
    .description(`${description} A full run writes ${documentPath}.`)
    .option('--only <numbers>', 'run only these scenarios, such as 3,5; does not write the document', scenarioNumbers)
    .option('--short', 'seconds instead of minutes, fewer repetitions; does not write the document', false)
    .option('--write', `write ${documentPath} despite --only or --short`, false)
    .option('--list', 'list the scenarios', false)
}

function scenarioNumbers(text: string): number[] {
  if (!/^[1-9]\d*(,[1-9]\d*)*$/.test(text)) {
    throw new InvalidArgumentError('Expected numbers of scenarios, such as 3,5.')
  }
  return text.split(',').map(Number)
}

export function writesDocument({ only, short, write }: Options): boolean {
  return write || (only === undefined && !short)
}
