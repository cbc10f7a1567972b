import { randomUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { type Command, InvalidArgumentError } from 'commander'
import { HttpApi } from '../api/http-api.ts'
import type { CliContext } from '../cli-context.ts'
import { jsonLine } from '../json-line.ts'
import { momentOption } from '../moment.ts'
import { addAccessOptions, type GivenAccess } from '../system/http-access.ts'

interface Options extends GivenAccess {
  readonly visitor?: string
  readonly page?: string
  readonly referrer?: string
  readonly prop?: Record<string, string>
  readonly occurred?: Date
  readonly bot?: true
  readonly id?: string
  readonly json?: true
}

export function registerSend(program: Command, context: CliContext): void {
  addAccessOptions(program.command('send'))
    .description('sends a click, and prints its id')
    .argument('<target>', 'what was clicked')
    .option('--visitor <id>', 'who clicked')
    .option('--page <url>', 'page on which the click happened')
    .option('--referrer <url>', 'page that led there')
    .option('--prop <name=value>', 'a text of your own; repeat it for several', propOption)
    .option('--occurred <time>', 'time of the click; default: now', momentOption)
    .option('--bot', 'the click came from a program')
    .option('--id <uuid>', 'send a click again: it is counted once')
    .option('--json', 'print the answer as a JSON object')
    .action(async (target: string, options: Options) => {
      const { visitor: visitorId, page: url, referrer, prop: props, occurred, bot, id = newId(), json } = options
      const occurredAt = occurred?.toISOString()
      const api = await HttpApi.find(context, options)
      const body = { id, target, visitorId, url, referrer, props, occurredAt, bot }
      try {
        const accepted = await api.call('postEvent', { body })
        context.print(json ? jsonLine(accepted) : accepted.id)
      } catch (error) {
        // Without an answer the click may have been accepted all the same.
        context.notices.line(`To send the same click again, use --id ${id}.`)
        throw error
      }
    })
}

function newId(): string {
  return randomUuidV7(Date.now())
}

function propOption(text: string, others: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Expected name=value.')
  return { ...others, [name]: value }
}
