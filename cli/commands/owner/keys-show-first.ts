import { describeFirstKeys } from '@clicktally/keys/first-keys.ts'
import type { Command } from 'commander'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { findFirstKeys } from '../../system/first-keys.ts'

export function registerShowFirst(keys: Command, context: CliContext): void {
  keys
    .command('show-first')
    .description("prints the keys that the installation started with, from the operator's secret files")
    .option('--json', 'print a JSON object')
    .action(async ({ json }: { readonly json?: true }) => {
      const first = await findFirstKeys(context)
      context.notices.line('These are from the first start. What was revoked or changed since then no longer works.')
      if (json) context.print(jsonLine(first))
      else for (const line of describeFirstKeys(first)) context.print(line)
    })
}
