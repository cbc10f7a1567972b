import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify, isAlive, type ProcessIdentity } from '../processes/process-identity.ts'

/** A lock that this process holds until it releases it or dies. */
export interface FolderLock {
  release(): void
}

/**
 * Takes the lock file, or returns its holder. The file names its holder; if that process has died, the lock is stale and is taken
 * over. The file is written under another name and linked into place, so it is never seen half written.
 */
export function tryLock(path: string): FolderLock | ProcessIdentity {
  mkdirSync(dirname(path), { recursive: true })
  const self = identify(process.pid)
  if (!self) throw new Error('this process cannot find itself in the list of processes')
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, JSON.stringify(self))
  try {
    for (let attempt = 0; attempt < 20; attempt++) {
      try {
        linkSync(draft, path)
        return { release: () => rmSync(path, { force: true }) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const holder = readHolder(path)
      if (holder && isAlive(holder)) return holder
      setAside(path)
    }
    throw new Error(`${path} could not be locked: remove it if no other "npm" command runs in this folder`)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Waits for the lock, at most `withinMs`. `onWait` is called once, with its holder. */
export async function waitForLock(
  path: string,
  withinMs: number,
  onWait: (holder: ProcessIdentity) => void,
): Promise<FolderLock> {
  const deadline = Date.now() + withinMs
  for (let told = false; ; told = true) {
    const result = tryLock(path)
    if ('release' in result) return result
    if (!told) onWait(result)
    if (Date.now() > deadline) throw new Error(`${path} is still locked by process ${result.pid}`)
    await sleep(200)
  }
}

/**
 * Removes a stale lock. Another process may have removed it and taken the lock meanwhile, so the file is moved first and read again,
 * and a fresh one is put back.
 */
function setAside(path: string): void {
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  const holder = readHolder(aside)
  if (holder && isAlive(holder)) {
    try {
      linkSync(aside, path)
    } catch {
      // A third process has the lock already.
    }
  }
  rmSync(aside, { force: true })
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    const { pid, startedAt } = JSON.parse(readFileSync(path, 'utf8'))
    return typeof pid === 'number' && typeof startedAt === 'string' ? { pid, startedAt } : undefined
  } catch {
    return undefined
  }
}
