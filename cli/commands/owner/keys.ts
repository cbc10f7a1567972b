import type { Key } from '@clicktally/operations/owner/key-operations.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import type { Command } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { jsonLine } from '../../json-line.ts'
import { formatMoment } from '../../moment.ts'
import { registerKeyChange, registerKeyRevoke } from './keys-change.ts'
import { registerKeyCreate, registerKeyRotate } from './keys-create.ts'
import { registerShowFirst } from './keys-show-first.ts'

interface Options {
  readonly project?: string
  readonly all?: true
  readonly json?: true
}

const columns: Column[] = [
  { title: 'id', align: 'left' },
  { title: 'role', align: 'left' },
  { title: 'project', align: 'left', flexible: true },
  { title: 'label', align: 'left', flexible: true },
  { title: 'origins', align: 'left', flexible: true },
  { title: 'clicks/s', align: 'right' },
  { title: 'state', align: 'left' },
]

export function registerKeys(program: Command, context: CliContext): void {
  const keys = program.command('keys').description('creates, lists, changes, rotates and revokes keys')
  keys
    .command('list')
    .description('lists the keys that are valid')
    .option('--project <name>', 'only keys of this project')
    .option('--all', 'include revoked and expired keys')
    .option('--json', 'print one JSON object per line')
    .action(async ({ project, all, json }: Options) => {
      const api = await HttpApi.find(context)
      const listed = (await api.call('listKeys', { querystring: { project } })).keys
      const shown = listed.filter((key) => all || endedAt(key) === undefined)
      if (json) for (const key of shown) context.print(jsonLine(key))
      else if (shown.length === 0) context.print('There are no such keys.')
      else for (const line of renderTable(columns, shown.map(cells))) context.print(line)
    })
  registerKeyCreate(keys, context)
  registerKeyChange(keys, context)
  registerKeyRotate(keys, context)
  registerKeyRevoke(keys, context)
  registerShowFirst(keys, context)
}

function cells(key: Key): string[] {
  const { id, role, project, label, origins, clicksPerSecond } = key
  return [id, role, project, label, origins.join(' '), clicksPerSecond?.toString() ?? '', stateOf(key)]
}

function stateOf(key: Key): string {
  const ended = endedAt(key)
  if (ended !== undefined) return `${key.revokedAt === null ? 'expired' : 'revoked'} ${minuteOf(ended)}`
  if (key.isOperator) return "operator's"
  return key.expiresAt === null ? 'valid' : `until ${minuteOf(key.expiresAt)}`
}

/** When the key was revoked or expired; undefined while it is valid. */
function endedAt({ revokedAt, expiresAt }: Key): string | undefined {
  if (revokedAt !== null) return revokedAt
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now() ? expiresAt : undefined
}

/** `2026-05-17 10:05Z` */
function minuteOf(time: string): string {
  return formatMoment(new Date(time)).replace(/:\d\dZ$/, 'Z')
}
