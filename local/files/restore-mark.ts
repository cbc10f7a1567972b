import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A file in the folder of a system, from the beginning of a restore to its end. While it exists the database may have tables without
 * their rows, or rows without what protects them, and looks like a new one. It is on the disk before anything else is changed.
 */
export const restoreMarkPath = (dir: string) => join(dir, 'restore-unfinished')

/** @returns the backup of a restore that has not ended; undefined if there is none */
export function unfinishedRestore(dir: string): string | undefined {
  const path = restoreMarkPath(dir)
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

export function markRestore(dir: string, backup: string): void {
  const file = openSync(restoreMarkPath(dir), 'w')
  try {
    writeSync(file, backup)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncFolder(dir)
}

export function removeRestoreMark(dir: string): void {
  rmSync(restoreMarkPath(dir))
  syncFolder(dir)
}

function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
