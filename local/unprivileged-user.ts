import { lchownSync, readFileSync, statSync } from 'node:fs'
import { Problem } from './problem.ts'
import { lastLines, runCommand } from './run-command.ts'

/**
 * Who the servers run as when the launcher is root: PostgreSQL refuses to be root, and the others need not be. It is
 * the system's `nobody`, since initdb wants a user that has a name, and nothing may be created on the system.
 */
export interface UnprivilegedUser {
  uid: number
  gid: number
  /** Whether it is another user than the launcher's. */
  changes: boolean
  /** The command line that runs the given one as this user. */
  commandLine(command: string, args: string[]): { command: string; args: string[] }
  /** Gives this user a file or folder that the launcher has just made, in a folder that is the launcher's. */
  own(path: string): void
}

/** The launcher's own user: nothing to change, nothing to hand over. */
const launcherItself: UnprivilegedUser = {
  uid: process.getuid?.() ?? -1,
  gid: process.getgid?.() ?? -1,
  changes: false,
  commandLine: (command, args) => ({ command, args }),
  own: () => {},
}

export interface Reach {
  /** Folders that the user must be able to read. */
  folders: string[]
  /** Programs that the user must be able to run. */
  programs: string[]
  /** Whether they may listen on a port below 1024: the one privilege that is ever given. */
  lowPort?: boolean
}

/**
 * The user to run these programs as: without any privilege, and without a way to gain one (no set-user-ID program works for
 * it any more).
 *
 * @throws Problem where that user can't reach the programs or the folders, as below root's home, which others can't enter. A
 * capability to pass all the same would let every service read every file of the system.
 */
export async function unprivilegedUser({ folders, programs, lowPort = false }: Reach): Promise<UnprivilegedUser> {
  if (process.getuid?.() !== 0) return launcherItself
  const { uid, gid } = nobody()
  const identity = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--no-new-privs']
  const bind = ['--inh-caps=-all,+net_bind_service', '--ambient-caps=-all,+net_bind_service']
  const options = [...identity, ...(lowPort ? bind : ['--inh-caps=-all'])]
  const check =
    'for path; do if [ -d "$path" ]; then ls "$path" >/dev/null; else [ -x "$path" ]; fi || { echo "$path"; exit 1; }; done'
  const command = ['sh', '-c', check, 'sh', ...folders, ...programs]
  const { code, output } = await runCommand('setpriv', [...options, '--', ...command], { cwd: '/', withinMs: 10_000 })
  if (code === 0) return switchingUser(uid, gid, options)
  throw new Problem(
    `Started by root, the servers and services run as "nobody", and that user can't reach what it needs:\n${lastLines(output)}\n` +
      `Start as an ordinary user; or put the clone where others may enter and read it, such as /opt${closedFolder([...folders, ...programs])}.`,
  )
}

/** The first folder on the way to one of these that others may not enter, as a remark. */
function closedFolder(paths: readonly string[]): string {
  const onTheWay = paths.flatMap((path) => {
    const parts = path.split('/').slice(1)
    return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`)
  })
  const closed = onTheWay.find((path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat?.isDirectory() && (stat.mode & 0o001) === 0
  })
  return closed === undefined ? '' : ` (others can't enter ${closed})`
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
