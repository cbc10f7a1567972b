import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** A log file is rotated to `<name>.1` at this size, so a program keeps at most about twice that. */
export const maxLogBytes = 10 * 1024 * 1024

/**
 * Opens the file for appending, and rotates it first if it is full. The descriptor is for a child's stdout and stderr: the child
 * writes directly, and goes on writing when the launcher dies.
 */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true })
  if (sizeOf(path) > maxLogBytes) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/**
 * Rotates a log that a running program writes to. The program has the file open for appending, so the content is copied and the file
 * truncated. Lines written between the two steps are lost.
 */
export function trimLog(path: string): void {
  if (sizeOf(path) <= maxLogBytes) return
  try {
    copyFileSync(path, `${path}.1`)
  } catch {
    // No space for the copy: all the more reason to truncate the log.
  }
  truncateSync(path)
}

/** The log's text from this byte on, at most its last 64 KiB. */
export function readLogFrom(path: string, offset: number): string {
  if (!existsSync(path)) return ''
  const content = readFileSync(path)
  const start = content.length < offset ? 0 : offset
  return content.subarray(Math.max(start, content.length - 64 * 1024)).toString('utf8')
}

/** The file's size in bytes, 0 when there is none. */
export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
