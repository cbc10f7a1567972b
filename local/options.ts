import { parseArgs } from 'node:util'
import { Problem } from './problem.ts'

export interface Options {
  /** Where nginx listens on 127.0.0.1. */
  port: number
  ingests: number
  processors: number
  help: boolean
}

export const helpText = `
Runs the whole of Clicktally on this machine, without Docker and without installing anything outside this folder.

  npm start -- [options]

  --port N         where it listens on 127.0.0.1 (8080)
  --ingests N      how many take clicks (1)
  --processors N   how many write them to the database (1)
  --help           this

Data, logs, passwords and what was fetched are in .local/. Ctrl-C stops everything; the data is there at the next start.
`.trim()

/** Each takes some 80 MB of memory and a few connections out of PostgreSQL's 100. */
const mostInstances = 16

/**
 * The options from the command line.
 * @throws Problem that names every one that is wrong.
 */
export function parseOptions(args: string[]): Options {
  const problems: string[] = []
  const { values, positionals, tokens } = parseArgs({
    args,
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      port: { type: 'string' },
      ingests: { type: 'string' },
      processors: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  const known = new Set(['port', 'ingests', 'processors', 'help'])
  for (const token of tokens) {
    if (token.kind === 'option' && !known.has(token.name)) problems.push(`${token.rawName} is not known`)
  }
  for (const word of positionals) problems.push(`"${word}" is not known`)

  const number = (name: 'port' | 'ingests' | 'processors', otherwise: number, least: number, most: number) => {
    const value = values[name]
    if (value === undefined) return otherwise
    const valid =
      typeof value === 'string' && /^\d{1,5}$/.test(value) && Number(value) >= least && Number(value) <= most
    if (!valid) problems.push(`--${name} must be a number from ${least} to ${most}`)
    return Number(value)
  }
  const options = {
    port: number('port', 8080, 1, 65_535),
    ingests: number('ingests', 1, 1, mostInstances),
    processors: number('processors', 1, 1, mostInstances),
    help: values.help === true,
  }
  if (problems.length > 0) throw new Problem(`${problems.join('\n')}\nSee: npm start -- --help`)
  return options
}
