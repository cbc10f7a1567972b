import { type UserRole, userRoles } from '@clicktally/keys/roles.ts'
import type { PasswordLink, User } from '@clicktally/operations/owner/user-operations.ts'
import { type Column, renderTable } from '@clicktally/terminal/table.ts'
import { type Command, Option } from 'commander'
import { HttpApi } from '../../api/http-api.ts'
import type { CliContext } from '../../cli-context.ts'
import { CliError, usageError } from '../../cli-error.ts'
import { jsonLine } from '../../json-line.ts'
import { formatMoment } from '../../moment.ts'

interface LinkOptions {
  readonly publicUrl?: string
  readonly json?: true
}

interface ChangeOptions {
  readonly role?: UserRole
  readonly disable?: true
  readonly enable?: true
  readonly json?: true
}

const columns: Column[] = [
  { title: 'email', align: 'left', flexible: true },
  { title: 'role', align: 'left' },
  { title: 'status', align: 'left' },
  { title: 'created', align: 'left' },
  { title: 'id', align: 'left' },
]

export function registerUsers(program: Command, context: CliContext): void {
  const users = program
    .command('users')
    .description('lists, invites and changes users, and lets them set a new password')
  const role = () => new Option('--role <role>', 'an auditor reads everything, an owner may do everything')
  users
    .command('list')
    .description('lists the users')
    .option('--json', 'print one JSON object per line')
    .action(async ({ json }: { readonly json?: true }) => {
      const { users } = await (await HttpApi.find(context)).call('listUsers', {})
      if (json) for (const user of users) context.print(jsonLine(user))
      else for (const line of renderTable(columns, users.map(cells))) context.print(line)
    })
  addLinkOptions(users.command('invite'))
    .description('creates a user and prints the link with which the user sets a password')
    .argument('<email>')
    .addOption(role().choices(userRoles).makeOptionMandatory())
    .action(async (email: string, { role, ...options }: LinkOptions & { readonly role: UserRole }) => {
      const api = await HttpApi.find(context)
      const base = linkBase(api, options)
      printLink(context, await api.call('inviteUser', { body: { email, role } }), base, options)
    })
  addLinkOptions(users.command('password-link'))
    .description('prints a link with which a user sets a new password; earlier links stop working')
    .argument('<email or id>', 'from "users list"')
    .action(async (name: string, options: LinkOptions) => {
      const api = await HttpApi.find(context)
      const base = linkBase(api, options)
      const { id } = await findUser(api, name)
      printLink(context, await api.call('createPasswordLink', { params: { id } }), base, options)
    })
  users
    .command('change')
    .description('changes the role of a user, disables or enables the user; ends all sessions of the user')
    .argument('<email or id>', 'from "users list"')
    .addOption(role().choices(userRoles))
    .addOption(new Option('--disable', 'the user can no longer sign in').conflicts('enable'))
    .option('--enable', 'the user can sign in again')
    .option('--json', 'print the user as a JSON object')
    .action(async (name: string, { role, disable, enable, json }: ChangeOptions) => {
      const disabled = disable ?? (enable ? false : undefined)
      if (role === undefined && disabled === undefined) {
        throw usageError('Nothing to change was given (--help shows the options).')
      }
      const api = await HttpApi.find(context)
      const { id } = await findUser(api, name)
      const user = await api.call('changeUser', { params: { id }, body: { role, disabled } })
      context.print(json ? jsonLine(user) : `The user ${user.email} was changed.`)
    })
}

function addLinkOptions(command: Command): Command {
  return command
    .option('--public-url <url>', 'the address at which users reach this server (default: the one of this command)')
    .option('--json', 'print a JSON object with the user, the token and the link')
}

function cells({ email, role, status, createdAt, id }: User): string[] {
  return [email, role, status, formatMoment(new Date(createdAt)), id]
}

async function findUser(api: HttpApi, name: string): Promise<User> {
  const { users } = await api.call('listUsers', {})
  const user = users.find(({ id, email }) => id === name || email.toLowerCase() === name.toLowerCase())
  if (user === undefined) throw new CliError(`There is no user "${name}". "clicktally users list" shows the users.`)
  return user
}

/** Ends in `/`. */
function linkBase(api: HttpApi, { publicUrl }: LinkOptions): URL {
  if (publicUrl === undefined) return api.baseUrl
  const url = URL.parse(publicUrl)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw usageError(`--public-url ${publicUrl}: give an address as in https://counts.example`)
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

function printLink(context: CliContext, made: PasswordLink, base: URL, { publicUrl, json }: LinkOptions): void {
  // After the #, where no server sees it: browsers do not send it.
  const link = new URL(`password#${made.token}`, base).href
  const { notices } = context
  notices.line(
    `With this link ${made.user.email} sets a password. It works once, until ${formatMoment(new Date(made.expiresAt))}.`,
  )
  if (publicUrl === undefined) {
    notices.line(`It leads to ${base.host}. If the user reaches this server at another address, use --public-url.`)
  }
  notices.line(
    'Without the page that it opens, the token sets a password as well. This reads the JSON from standard input:',
  )
  notices.line(`  curl -X POST ${new URL('v1/password', base)} -H 'content-type: application/json' -d @-`)
  notices.line(`  {"token":"${made.token}","password":"<at least 12 characters>"}`)
  context.print(json ? jsonLine({ ...made, link }) : link)
}
