import { parseArgs } from 'node:util'
import { Problem } from '@clicktally/local/problem.ts'

export interface Options {
  /** The numbers of the scenarios to play; undefined for all. */
  readonly only: readonly number[] | undefined
  readonly short: boolean
  readonly list: boolean
  /** Whether docs/faults.md is written. */
  readonly write: boolean
  readonly help: boolean
}

export const helpText = `
Breaks everything that a system of its own is made of, under load, and shows that each click that was answered 202 is
counted exactly once. Takes some 35 minutes, and writes docs/faults.md.

  npm run test:faults -- [options]

  --only 3,5   only these scenarios; writes nothing
  --short      seconds instead of minutes, few repetitions instead of many; writes nothing
  --write      writes docs/faults.md all the same
  --list       shows the scenarios and their numbers
  --help       this
`.trim()

/**
 * The options from the command line.
 * @throws Problem that says what is wrong.
 */
export function parseOptions(args: string[]): Options {
  let values: ReturnType<typeof parse>['values']
  try {
    values = parse(args).values
  } catch (error) {
    throw new Problem(`${(error as Error).message}\nSee: npm run test:faults -- --help`)
  }
  const { only, short = false, list = false, help = false } = values
  const numbers = only?.split(',').map(Number)
  if (numbers?.some((number) => !Number.isInteger(number) || number < 1)) {
    throw new Problem(`--only takes numbers of scenarios, such as 3,5, and not "${only}"`)
  }
  return { only: numbers, short, list, help, write: values.write ?? (numbers === undefined && !short) }
}

function parse(args: string[]) {
  return parseArgs({
    args,
    options: {
      only: { type: 'string' },
      short: { type: 'boolean' },
      list: { type: 'boolean' },
      write: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
}
