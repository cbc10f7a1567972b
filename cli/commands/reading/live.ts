import type { LiveGap, SeenClick } from '@clicktally/operations/live-operations.ts'
import { wholeNumber } from '@clicktally/terminal/option-values.ts'
import { printable } from '@clicktally/terminal/printable.ts'
import { formatCount } from '@clicktally/terminal/progress.ts'
import type { Command } from 'commander'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { formatMoment } from '../../moment.ts'
import { liveClicks } from '../../reading/live-clicks.ts'
import { addTargetOptions, type TargetOptions, targetQuery } from '../../reading/target-options.ts'
import { findHttpAccess } from '../../system/http-access.ts'

interface Options extends TargetOptions {
  readonly count?: number
  readonly json?: true
}

export function registerLive(program: Command, context: CliContext): void {
  addTargetOptions(program.command('live'))
    .description('prints clicks as they are counted, until Ctrl-C')
    .option('--count <n>', 'end after this many clicks', wholeNumber(1, 1_000_000_000))
    .option('--json', 'print one JSON object per click')
    .action(async (options: Options) => {
      const access = await findHttpAccess(context, options)
      const signal = context.takeInterruption()
      let left = options.count ?? Number.POSITIVE_INFINITY
      for await (const event of liveClicks(access, targetQuery(options), signal)) {
        if (event.kind === 'gap') context.notices.line(gapLine(event.gap))
        else if (event.kind === 'connected')
          context.notices.line('Clicks are printed as they are counted. Ctrl-C ends.')
        else if (event.kind === 'interrupted') context.notices.line(`The stream was interrupted: ${event.reason}.`)
        else {
          context.print(options.json ? jsonLine(event.click) : clickLine(event.click))
          await context.printed()
          left -= 1
          if (left === 0) return
        }
      }
    })
}

function clickLine({ target, occurredAt, bot }: SeenClick): string {
  return `${formatMoment(new Date(occurredAt))}  ${printable(target)}${bot ? '  (bot)' : ''}`
}

function gapLine({ reason, total = 0, bots = 0 }: LiveGap): string {
  if (reason === 'rate') return `Too many clicks to show: ${formatCount(total)}, and ${formatCount(bots)} of bots.`
  return 'Clicks may be missing here. They are counted all the same.'
}
