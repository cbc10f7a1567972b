import { chownSync, type Dirent, lchownSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from './problem.ts'
import { lastLines, runCommand } from './run-command.ts'

/**
 * Who the servers run as when the launcher is root: PostgreSQL refuses to be root, and the others need not be. It is
 * the system's `nobody`, since initdb wants a user that has a name, and nothing may be created on the system.
 */
export interface UnprivilegedUser {
  uid: number
  gid: number
  /** The command line that runs the given one as this user. */
  commandLine(command: string, args: string[]): { command: string; args: string[] }
  /** Hands a file, or a folder with all that is in it, to this user. */
  own(path: string): void
}

/** The launcher's own user: nothing to change, nothing to hand over. */
const launcherItself: UnprivilegedUser = {
  uid: process.getuid?.() ?? -1,
  gid: process.getgid?.() ?? -1,
  commandLine: (command, args) => ({ command, args }),
  own: () => {},
}

export interface Reach {
  /** Folders that the user must be able to read. */
  folders: string[]
  /** Programs that the user must be able to run. */
  programs: string[]
  /** Whether they may listen on a port below 1024. */
  lowPort?: boolean
}

/**
 * The user to run these programs as.
 *
 * Where root's clone is below a folder that others can't enter (`/root` has mode 0700), or root's umask has kept
 * everybody from the files, the user could reach neither the programs nor the data. Instead of opening the folders to
 * all, the servers then get one capability that lets them through: to read and search, or, where that isn't enough or
 * the system doesn't give it away (most containers), to pass all file permissions. That is still less than root, and
 * nothing on the system is changed.
 *
 * @throws Problem where neither works.
 */
export async function unprivilegedUser({ folders, programs, lowPort = false }: Reach): Promise<UnprivilegedUser> {
  if (process.getuid?.() !== 0) return launcherItself
  const { uid, gid } = nobody()
  const identity = ['--reuid', String(uid), '--regid', String(gid), '--clear-groups']
  const attempts = [[], ['dac_read_search'], ['dac_override']].map((forFiles) => {
    const capabilities = [...forFiles, ...(lowPort ? ['net_bind_service'] : [])].map((name) => `+${name}`).join(',')
    if (!capabilities) return identity
    // PostgreSQL asks access(2) whether it may run itself, which leaves capabilities out of account without this bit.
    const honoured = ['--securebits', '+no_setuid_fixup']
    return [...honoured, ...identity, `--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`]
  })
  const check = 'for path; do if [ -d "$path" ]; then ls "$path" >/dev/null; else [ -x "$path" ]; fi || exit 1; done'
  let output = ''
  for (const options of attempts) {
    const command = ['sh', '-c', check, 'sh', ...folders, ...programs]
    const result = await runCommand('setpriv', [...options, '--', ...command], { cwd: '/', withinMs: 10_000 })
    if (result.code === 0) return switchingUser(uid, gid, options)
    output = result.output
  }
  throw new Problem(
    `PostgreSQL refuses to run as root, and running it as "nobody" does not work here:\n${lastLines(output)}\n` +
      'Start as an ordinary user, or put the clone in a folder that others may enter.',
  )
}

function switchingUser(uid: number, gid: number, options: string[]): UnprivilegedUser {
  return {
    uid,
    gid,
    commandLine: (command, args) => ({ command: 'setpriv', args: [...options, '--', command, ...args] }),
    own(path) {
      chownSync(path, uid, gid)
      ownContent(path, uid, gid)
    },
  }
}

function ownContent(folder: string, uid: number, gid: number): void {
  let entries: Dirent[]
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch {
    return
  }
  for (const entry of entries) {
    const path = join(folder, entry.name)
    lchownSync(path, uid, gid)
    if (entry.isDirectory()) ownContent(path, uid, gid)
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
