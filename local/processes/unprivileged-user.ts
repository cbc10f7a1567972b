import { lchownSync, readFileSync, statSync } from 'node:fs'
import { Problem } from '../problem.ts'
import { lastLines, runCommand } from './run-command.ts'

/**
 * The user that servers and services run as when the launcher is root, because PostgreSQL refuses root and the others do not need it.
 * It is the system's `nobody`: initdb requires a user with a name, and no user may be created.
 */
export interface UnprivilegedUser {
  uid: number
  gid: number
  /** Whether it is another user than the launcher's. */
  changes: boolean
  /** The command line that runs the given one as this user. */
  commandLine(command: string, args: string[]): { command: string; args: string[] }
  /** Makes this user the owner of a file or folder that the launcher has just created in its own folder. */
  own(path: string): void
}

/** The launcher's own user; no change. */
const launcherUser: UnprivilegedUser = {
  uid: process.getuid?.() ?? -1,
  gid: process.getgid?.() ?? -1,
  changes: false,
  commandLine: (command, args) => ({ command, args }),
  own: () => {},
}

export interface RequiredAccess {
  /** Folders that the user must be able to read. */
  folders: string[]
  /** Programs that the user must be able to run. */
  programs: string[]
  /** Whether they may listen on a port below 1024, the only privilege that is ever given. */
  lowPort?: boolean
}

/**
 * The user to run these programs as, without privileges and without a way to gain any (set-user-ID programs do not work).
 *
 * @throws Problem when that user cannot reach the programs or folders, for instance below root's home. A capability that bypasses
 * permissions would let every service read every file of the system.
 */
export async function unprivilegedUser({
  folders,
  programs,
  lowPort = false,
}: RequiredAccess): Promise<UnprivilegedUser> {
  if (process.getuid?.() !== 0) return launcherUser
  const { uid, gid } = nobody()
  const identity = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--no-new-privs']
  const bind = ['--inh-caps=-all,+net_bind_service', '--ambient-caps=-all,+net_bind_service']
  const options = [...identity, ...(lowPort ? bind : ['--inh-caps=-all'])]
  const check =
    'for path; do if [ -d "$path" ]; then ls "$path" >/dev/null; else [ -x "$path" ]; fi || { echo "$path"; exit 1; }; done'
  const command = ['sh', '-c', check, 'sh', ...folders, ...programs]
  const { code, output } = await runCommand('setpriv', [...options, '--', ...command], { cwd: '/', withinMs: 60_000 })
  if (code === 0) return switchingUser(uid, gid, options)
  throw new Problem(
    `When root starts this, servers and services run as "nobody", and that user cannot reach what it needs:\n${lastLines(output)}\n` +
      `Start as an ordinary user, or put the clone where others can read it, such as /opt${closedFolder([...folders, ...programs])}.`,
  )
}

/** The first folder above one of these that others cannot enter, as a remark. */
function closedFolder(paths: readonly string[]): string {
  const onTheWay = paths.flatMap((path) => {
    const parts = path.split('/').slice(1)
    return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)
  })
  const closed = onTheWay.find((path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat?.isDirectory() && (stat.mode & 0o001) === 0
  })
  return closed === undefined ? '' : ` (others cannot enter ${closed})`
}

function switchingUser(uid: number, gid: number, options: string[]): UnprivilegedUser {
  return {
    uid,
    gid,
    changes: true,
    commandLine: (command, args) => ({ command: 'setpriv', args: [...options, '--', command, ...args] }),
    own: (path) => lchownSync(path, uid, gid),
  }
}

function nobody(): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith('nobody:'))
  const [, , uid, gid] = line?.split(':') ?? []
  if (!uid || !gid)
    throw new Problem('This system has no user "nobody" to run PostgreSQL as: start as an ordinary user.')
  return { uid: Number(uid), gid: Number(gid) }
}
