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
import { Problem } from './problem.ts'
import type { UnprivilegedUser } from './unprivileged-user.ts'

// A server's files are in two folders: what it is told, which it can only read, and what it writes. Where the launcher is
// root and the server is not, root writes into the first alone, which nobody else can change: in the second the server's user
// could put a symbolic link in place of any file, and have root overwrite what it points at.

export interface ServerFile {
  readonly path: string
  readonly content: string
  /** Given to the server's user, who alone may read it. Otherwise its group may, and nobody may change it. */
  readonly ownedByServer?: boolean
}

/**
 * Makes the folder of a server's configuration, and its files anew. Each file appears as a whole, or not at all.
 * @throws Problem where somebody else could change the folder.
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
 * Makes the folder that a server writes to, and gives it to its user. What is in it is not touched.
 * @throws Problem where it is there and belongs to another user.
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

/** @throws Problem where the folder of a server belongs to another user than the one it is to run as. */
export function assertServers(folder: string, user: UnprivilegedUser): void {
  const stat = lstatSync(folder)
  if (!stat.isDirectory()) throw new Problem(`${folder} is no folder: move it away and start again.`)
  const { uid } = stat
  if (uid === user.uid || user.uid === -1) return
  throw new Problem(
    `${folder} belongs to the user with the number ${uid}, and would have to belong to ${user.uid}: it was made when another user started this.\n` +
      `Start as that user; or, while nothing of it runs: chown -R ${user.uid}:${user.gid} ${folder}`,
  )
}

/** A short text from a folder that a server writes to; undefined where there is none, or no plain file. */
export function readServerFile(path: string): string | undefined {
  let file: number
  try {
    // Neither through a link nor, in a pipe that nobody writes to, for ever.
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

/** Ours, and nobody else may put anything into it. */
function assertOwn(folder: string): void {
  const stat = lstatSync(folder)
  const othersMayWrite = (stat.mode & 0o002) !== 0 || ((stat.mode & 0o020) !== 0 && stat.gid !== process.getgid?.())
  if (stat.isDirectory() && stat.uid === process.getuid?.() && !othersMayWrite) return
  throw new Problem(
    `${folder} must be a folder that belongs to who starts this and that nobody else may write to: others could change what the servers are told.`,
  )
}
