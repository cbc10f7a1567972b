import { parseArgs } from 'node:util'
import type { DemoOptions } from './demo.ts'
import { DemoError } from './demo-error.ts'

const defaultUrl = 'http://127.0.0.1:8080'
const defaultClicks = 10_000
const defaultSeed = 1
/** As many as take minutes, not days. */
const maxClicks = 100_000_000
const maxSeed = 4_294_967_295

export const usage = `Usage: npm run demo -- [options]

Sends clicks to a running Clicktally, then shows what its api has counted beside what there was to count,
and sends everything once more with the same ids, which changes no count.

  --log FILE    an access log in common or combined format, plain or gzip: each line becomes a click, the
                path its target, moved in time so that the log ends now. Without it, clicks are made.
  --clicks N    how many clicks to make (${defaultClicks})
  --seed N      the same seed makes the same clicks (${defaultSeed})
  --url URL     where Clicktally is (${defaultUrl})
  --once        do not send everything once more
  --help        show this

It compares all that was counted in the minutes of its clicks since it began. Clicks that somebody else
sends in the meantime show up as differences. Exit code: 0 equal, 1 not equal or not possible, 130 Ctrl-C.`

/**
 * The options, or `help` where that is asked for.
 *
 * @throws {DemoError} which names every option that is wrong
 */
export function parseOptions(args: string[]): Omit<DemoOptions, 'stateDir'> | 'help' {
  const problems: string[] = []
  const values = parsed(args)
  if (values.help) return 'help'

  const wholeNumber = (
    name: string,
    text: string | undefined,
    fallback: number,
    least: number,
    most: number,
  ): number => {
    if (text === undefined) return fallback
    const number = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    problems.push(`--${name} ${text}: give a whole number from ${least} to ${most}`)
    return fallback
  }
  const clicks = wholeNumber('clicks', values.clicks, defaultClicks, 1, maxClicks)
  const seed = wholeNumber('seed', values.seed, defaultSeed, 0, maxSeed)
  if (values.log === '') problems.push('--log: give the path of a file')
  if (values.log !== undefined && (values.clicks !== undefined || values.seed !== undefined)) {
    problems.push('--clicks and --seed are for made clicks: leave them out with --log')
  }
  const url = baseUrl(values.url ?? defaultUrl)
  if (url === undefined) problems.push(`--url ${values.url}: give an address as in ${defaultUrl}`)

  if (problems.length > 0 || url === undefined) throw new DemoError(problems.join('\n'))
  return { url, clicks, seed, once: values.once ?? false, ...(values.log !== undefined && { log: values.log }) }
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        log: { type: 'string' },
        url: { type: 'string' },
        clicks: { type: 'string' },
        seed: { type: 'string' },
        once: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    throw new DemoError(`${(error as Error).message}\n\n${usage}`)
  }
}

/** With a `/` at its end, so that paths are added to it, not put in the place of its last part. */
function baseUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  if (!['http:', 'https:'].includes(url.protocol) || url.username || url.search || url.hash) return undefined
  return url.href.endsWith('/') ? url.href : `${url.href}/`
}
