import type { Command } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { CliError, usageError } from '../../cli-error.ts'
import { confirmed } from '../../confirm.ts'
import { jsonLine } from '../../json-line.ts'
import { addKeyOptions, type KeyOptions, keyFields } from '../../owner/key-options.ts'

interface ChangeOptions extends KeyOptions {
  readonly json?: true
}

interface RevokeOptions {
  readonly yes?: true
  readonly json?: true
}

export function registerKeyChange(keys: Command, context: CliContext): void {
  addKeyOptions(keys.command('change'))
    .description('changes the label, origins, limit or expiry of a key; the key itself stays the same')
    .argument('<id>', 'from "keys list"')
    .option('--no-origin', 'remove all origins; not possible for a write key')
    .option('--json', 'print the key as a JSON object')
    .addHelpText(
      'after',
      '\n--origin replaces all origins. "--clicks-per-second none" and "--expires never" remove them.',
    )
    .action(async (id: string, { json, ...options }: ChangeOptions) => {
      if (Object.keys(options).length === 0) throw usageError('Nothing to change was given (--help shows the options).')
      const key = await (await HttpApi.find(context)).call('changeKey', { params: { id }, body: keyFields(options) })
      context.print(json ? jsonLine(key) : `The key ${id} was changed.`)
    })
}

export function registerKeyRevoke(keys: Command, context: CliContext): void {
  keys
    .command('revoke')
    .description('revokes a key: every service refuses it within 60 seconds, mostly at once')
    .argument('<id>', 'from "keys list"')
    .option('--yes', 'do not ask for confirmation; required without a terminal')
    .option('--json', 'print the key as a JSON object')
    .action(async (id: string, { yes, json }: RevokeOptions) => {
      const api = await HttpApi.find(context)
      const find = async () => (await api.call('listKeys', { querystring: {} })).keys.find((key) => key.id === id)
      const key = await find()
      if (key === undefined)
        throw new CliError(`There is no key with the id "${id}". "clicktally keys list" shows the keys.`)
      const question = `Revoke the ${key.role} key "${key.label}" of the project "${key.project}"? This cannot be undone.`
      if (!yes && !(await confirmed(context, question))) {
        context.notices.line('Nothing was revoked.')
        return
      }
      await api.call('revokeKey', { params: { id } })
      context.print(json ? jsonLine((await find()) ?? key) : `The key ${id} was revoked.`)
    })
}
