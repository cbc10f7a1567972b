import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { Command, InvalidArgumentError, Option } from 'commander'

export interface Options {
  readonly log?: string
  readonly clicks: number
  readonly seed: number
  /** Ends in `/`. */
  readonly url: string
  readonly once: boolean
}

const defaultUrl = 'http://127.0.0.1:8080/'
/** A run of this size takes minutes to hours, not days. */
const maxClicks = 100_000_000
const maxSeed = 4_294_967_295

const details = `
Compares everything counted since the demo started, in the minutes that its clicks fall into. Clicks that others
send to the same server meanwhile appear as differences.

Exit codes: 0 counts are equal, 1 counts differ or an error occurred, 130 Ctrl-C.`

export function createCommand(): Command {
  return new Command('npm run demo --')
    .description(
      'Sends clicks to a running Clicktally and compares the counts of its API with the clicks sent. Then sends ' +
        'every click again with the same id, which must not change any count.',
    )
    .addOption(
      new Option('--log <file>', 'send the requests in this access log (common or combined format, plain or gzip)')
        .argParser(nonEmpty)
        .conflicts(['clicks', 'seed']),
    )
    .option('--clicks <number>', 'number of synthetic clicks to send without --log', wholeNumber(1, maxClicks), 10_000)
    .option('--seed <number>', 'seed of the synthetic clicks', wholeNumber(0, maxSeed), 1)
    .option('--url <url>', 'base URL of Clicktally', baseUrl, defaultUrl)
    .option('--once', 'do not send the clicks a second time', false)
    .addHelpText('after', details)
}

function nonEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('Expected the path of a file.')
  return text
}

/** Appends `/` where it is missing: relative paths are then resolved below the URL, not beside its last segment. */
function baseUrl(text: string): string {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.search || url.hash) {
    throw new InvalidArgumentError(`Expected a base URL such as ${defaultUrl}.`)
  }
  return url.href.endsWith('/') ? url.href : `${url.href}/`
}
