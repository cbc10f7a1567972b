import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import type { Command } from 'commander'
import { endForms, endOption } from '../moment.ts'

/** Options of a key, as Commander collects them. */
export interface KeyOptions {
  readonly label?: string
  /** `false`: --no-origin. */
  readonly origin?: string[] | false
  readonly clicksPerSecond?: number | 'none'
  readonly expires?: Date | 'never'
}

/** Adds the options that `keys create` and `keys change` have in common. */
export function addKeyOptions(command: Command): Command {
  return command
    .option('--label <text>', 'what the key is for')
    .option(
      '--origin <origin>',
      'a page that may use the key, such as https://shop.example; repeat it for several; * is every page',
      (origin: string, others: string[] | undefined) => [...(others ?? []), origin],
    )
    .option('--clicks-per-second <n>', 'limit of each ingest on average, twice as many in a burst', limitOption)
    .option('--expires <time>', `when the key stops working: ${endForms}`, expiryOption)
}

/** The fields of a request. A field that was not given is undefined. */
export function keyFields({ label, origin, clicksPerSecond, expires }: KeyOptions) {
  return {
    label,
    origins: origin === false ? [] : origin,
    clicksPerSecond: clicksPerSecond === 'none' ? null : clicksPerSecond,
    expiresAt: expires === 'never' ? null : expires?.toISOString(),
  }
}

function limitOption(text: string): number | 'none' {
  return text === 'none' ? text : wholeNumber(1, 1_000_000)(text)
}

function expiryOption(text: string): Date | 'never' {
  return text === 'never' ? text : endOption(text)
}
