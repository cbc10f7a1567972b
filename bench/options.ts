import { parseArgs } from 'node:util'
import { Problem } from '@clicktally/local/problem.ts'

export interface Options {
  /** The names of the measurements to make; undefined for all. */
  readonly only: readonly string[] | undefined
  readonly short: boolean
  readonly list: boolean
  /** Whether docs/benchmarks.md, .json and .svg are written. */
  readonly write: boolean
  readonly help: boolean
}

export const helpText = `
Measures a system of its own, and beside it, in the same run, other ways to do the same. Takes less than 30 minutes, the
short form about 5; nothing else should run meanwhile.

  npm run bench -- [options]

  --short           fewer rounds, shorter ones, fewer clicks; the same comparisons
  --only name,name  only these measurements
  --write           writes docs/benchmarks.md, docs/benchmarks.json and docs/benchmarks.svg
  --list            shows the measurements and their names
  --help            this
`.trim()

/**
 * The options from the command line.
 * @param names of the measurements that there are
 * @throws Problem that says what is wrong.
 */
export function parseOptions(args: string[], names: readonly string[]): Options {
  let values: ReturnType<typeof parse>['values']
  try {
    values = parse(args).values
  } catch (error) {
    throw new Problem(`${(error as Error).message}\nSee: npm run bench -- --help`)
  }
  const { short = false, list = false, write = false, help = false } = values
  const only = values.only?.split(',')
  const unknown = only?.filter((name) => !names.includes(name)) ?? []
  if (unknown.length > 0) {
    throw new Problem(`There is no measurement "${unknown.join('", "')}". See: npm run bench -- --list`)
  }
  return { only, short, list, write, help }
}

/** As it would be typed. */
export function commandOf({ only, short, write }: Options): string {
  const chosen = [
    ...(short ? ['--short'] : []),
    ...(only ? ['--only', only.join(',')] : []),
    ...(write ? ['--write'] : []),
  ]
  return ['npm run bench', ...(chosen.length > 0 ? ['--', ...chosen] : [])].join(' ')
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
