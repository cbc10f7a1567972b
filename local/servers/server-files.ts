import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { Problem } from '../problem.ts'
import type { UnprivilegedUser } from '../processes/unprivileged-user.ts'

// A server has two folders: its configuration, which it can only read, and its data, which it writes. When the launcher is root and
// the server is not, root writes only into the first, which no other user can change. In the second the server's user could replace
// any file with a symbolic link, and have root overwrite what it points to.

export interface ServerFile {
  readonly path: string
  readonly content: string | Buffer
  /** Owned by the server's user, who alone may read it. Otherwise its group may read it, and nobody may change it. */
  readonly ownedByServer?: boolean
}

/**
 * Creates the folder of a server's configuration, and replaces its files, each of them atomically.
 * @throws Problem when another user could change the folder.
 */
export function writeServerFiles(folder: string, files: readonly ServerFile[], user: UnprivilegedUser): void {
  makeOwnFolder(folder, user)
  for (const { path, content, ownedByServer = false } of files) {
    const target = join(folder, path)
    if (dirname(target) !== folder) makeOwnFolder(dirname(target), user)
    const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`
    const file = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(file, content)
      if (user.changes) fchownSync(file, ownedByServer ? user.uid : 0, user.gid)
      fchmodSync(file, ownedByServer ? 0o400 : 0o640)
    } finally {
      closeSync(file)
    }
    try {
      renameSync(temporary, target)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
  }
}

/**
 * Creates the folder that a server writes to, owned by the server's user. An existing folder is left as it is.
 * @throws Problem when it exists and belongs to another user.
 */
export function makeServerFolder(folder: string, user: UnprivilegedUser): void {
  if (user.changes) assertOwn(dirname(folder))
  try {
    mkdirSync(folder, { mode: 0o700 })
    user.own(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    assertServers(folder, user)
  }
}

/** @throws Problem when a server's folder belongs to another user than the one that the server runs as. */
export function assertServers(folder: string, user: UnprivilegedUser): void {
  const stat = lstatSync(folder)
  if (!stat.isDirectory()) throw new Problem(`${folder} is not a folder. Move it away and start again.`)
  const { uid } = stat
  if (uid === user.uid || user.uid === -1) return
  throw new Problem(
    `${folder} belongs to the user id ${uid}, but must belong to ${user.uid}: it was created when another user started this.\n` +
      `Start as that user, or, while nothing runs: chown -R ${user.uid}:${user.gid} ${folder}`,
  )
}

/** A short text file from a folder that a server writes to; undefined if it is missing or no regular file. */
export function readServerFile(path: string): string | undefined {
  let file: number
  try {
    // Does not follow a link, and does not block on a pipe without a writer.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ELOOP') return undefined
    throw error
  }
  try {
    if (!fstatSync(file).isFile()) return undefined
    const start = Buffer.alloc(4_096)
    return start.toString('utf8', 0, readSync(file, start))
  } finally {
    closeSync(file)
  }
}

function makeOwnFolder(folder: string, user: UnprivilegedUser): void {
  if (mkdirSync(folder, { recursive: true }) !== undefined) chmodSync(folder, 0o755)
  if (user.changes) assertOwn(folder)
}

/** @throws Problem unless the folder is ours and no other user can write to it. */
function assertOwn(folder: string): void {
  const stat = lstatSync(folder)
  const othersMayWrite = (stat.mode & 0o002) !== 0 || ((stat.mode & 0o020) !== 0 && stat.gid !== process.getgid?.())
  if (stat.isDirectory() && stat.uid === process.getuid?.() && !othersMayWrite) return
  throw new Problem(
    `${folder} must be a folder that belongs to the user who starts this and that no other user can write to. Otherwise others could change the configuration of the servers.`,
  )
}
