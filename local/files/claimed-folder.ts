import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Problem } from '../problem.ts'
import { ProcessRegister } from '../processes/process-register.ts'
import type { Supervision } from '../processes/supervised-program.ts'
import { tryLock } from './folder-lock.ts'

/** A folder that only this launcher uses, and the processes that it started there. */
export interface ClaimedFolder {
  supervision: Supervision
  killAll(): void
  release(): void
}

/**
 * Makes this launcher the only one in the folder, and stops what an earlier one left running.
 * @throws Problem that names the process which has the folder, and where it listens.
 */
export async function claimFolder(
  dir: string,
  baseUrl: string,
  onLine: (line: string) => void,
): Promise<ClaimedFolder> {
  const runDir = join(dir, 'run')
  mkdirSync(runDir, { recursive: true })
  const addressPath = join(runDir, 'address')
  const lock = tryLock(join(runDir, 'launcher.lock'))
  if (!('release' in lock)) {
    throw new Problem(
      `Clicktally already runs in this folder: process ${lock.pid}, at ${readAddress(addressPath)}\n` +
        `Stop that one first (Ctrl-C where it runs, or: kill ${lock.pid}).`,
    )
  }
  try {
    writeFileSync(addressPath, baseUrl)
    const register = new ProcessRegister(join(runDir, 'processes.json'))
    await register.stopLeftovers(onLine)
    const supervision: Supervision = {
      onLine,
      onSpawn: ({ name, stopSignal }, identity) => register.add(name, identity, stopSignal),
      onGone: (_, identity) => register.remove(identity),
    }
    const release = () => {
      rmSync(addressPath, { force: true })
      lock.release()
    }
    return { supervision, killAll: () => register.killAll(), release }
  } catch (error) {
    lock.release()
    throw error
  }
}

function readAddress(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return 'an address that is not known yet'
  }
}
