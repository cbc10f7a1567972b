import { type KeyRole, keyRoles } from '@clicktally/keys/roles.ts'
import type { NewKey } from '@clicktally/operations/owner/key-operations.ts'
import { type Command, Option } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { durationOption, formatMoment } from '../../moment.ts'
import { addKeyOptions, type KeyOptions, keyFields } from '../../owner/key-options.ts'

interface CreateOptions extends KeyOptions {
  readonly role: KeyRole
  readonly project?: string
  readonly json?: true
}

interface RotateOptions {
  readonly overlap: number
  readonly json?: true
}

const createHelp = `
Roles:
  write    for web pages: sends clicks from the origins that it lists. Not a secret
  secret   for servers: sends clicks, old ones too
  read     reads the counts of its project
  auditor  reads everything of every project, the balance and the audit log included
  owner    may do everything

Only the key is written to standard output: KEY=$(npm run --silent clicktally -- keys create --role read)`

export function registerKeyCreate(keys: Command, context: CliContext): void {
  addKeyOptions(keys.command('create'))
    .description('creates a key and prints it; it is shown only once')
    .addOption(new Option('--role <role>', 'what the key may do').choices(keyRoles).makeOptionMandatory())
    .option('--project <name>', 'the project that it belongs to (default: "default")')
    .option('--json', 'print a JSON object with the key and its text')
    .addHelpText('after', createHelp)
    .action(async ({ role, project, json, ...options }: CreateOptions) => {
      const { clicksPerSecond, expiresAt, ...fields } = keyFields(options)
      const body = {
        ...{ role, project, ...fields },
        // A new key has no limit and no expiry that could be removed.
        ...{ clicksPerSecond: clicksPerSecond ?? undefined, expiresAt: expiresAt ?? undefined },
      }
      const made = await (await HttpApi.find(context)).call('createKey', { body })
      printNewKey(context, made, json)
    })
}

export function registerKeyRotate(keys: Command, context: CliContext): void {
  keys
    .command('rotate')
    .description('replaces a key by a new one with the same rights, and prints its text; for a while both work')
    .argument('<id>', 'from "keys list"')
    .addOption(
      new Option('--overlap <duration>', 'how long the old key still works, such as 0s or 7d')
        .argParser(durationOption)
        .default(86_400_000, '24h'),
    )
    .option('--json', 'print a JSON object with the new key and its text')
    .action(async (id: string, { overlap, json }: RotateOptions) => {
      const body = { overlapSeconds: Math.round(overlap / 1_000) }
      const made = await (await HttpApi.find(context)).call('rotateKey', { params: { id }, body })
      const end = formatMoment(new Date(Date.now() + overlap))
      printNewKey(context, made, json, `The old key ${id} works until ${end}, or until it would have expired.`)
    })
}

function printNewKey(context: CliContext, made: NewKey, json: true | undefined, more?: string): void {
  const { id, role, project, origins } = made.key
  const from = origins.length === 0 ? '' : `, for pages of ${origins.join(', ')}`
  context.notices.line(`The ${role} key ${id} of the project "${project}"${from}. Its text is shown only now.`)
  if (more !== undefined) context.notices.line(more)
  context.print(json ? jsonLine(made) : made.text)
}
