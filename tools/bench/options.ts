import { Command, InvalidArgumentError } from 'commander'

export interface Options {
  /** Names of the measurements to run; undefined runs all. */
  readonly only?: readonly string[]
  readonly short: boolean
  readonly list: boolean
  /** Whether to write docs/benchmarks.md, .json and .svg. */
  readonly write: boolean
}

/** @param names of all measurements */
export function createCommand(names: readonly string[]): Command {
  return new Command('npm run bench --')
    .description(
      'Benchmarks Clicktally against alternative designs on this machine. A full run takes about 45 minutes, a short ' +
        'one about 5. Nothing else should run on the machine meanwhile.',
    )
    .option('--short', 'fewer and shorter rounds with fewer clicks, the same comparisons', false)
    .option(
      '--only <names>',
      'run only these measurements, separated by commas; --write then keeps the others',
      (text) => namesIn(text, names),
    )
    .option('--write', 'write docs/benchmarks.md, docs/benchmarks.json and docs/benchmarks.svg', false)
    .option('--list', 'list the measurements', false)
}

function namesIn(text: string, names: readonly string[]): string[] {
  const chosen = text.split(',')
  const unknown = chosen.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`Unknown measurement "${unknown}"; --list shows all of them.`)
  }
  return chosen
}
