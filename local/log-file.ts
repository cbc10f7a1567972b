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

/** A log file is set aside as `<name>.1` when it has grown to this size; so a program keeps at most about twice that. */
export const maxLogBytes = 10 * 1024 * 1024

/**
 * Opens the file for appending, setting it aside first when it is full. The descriptor is for a child's stdout and
 * stderr: the child writes by itself and goes on writing whatever becomes of the launcher.
 */
export function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true })
  if (sizeOf(path) > maxLogBytes) renameSync(path, `${path}.1`)
  return openSync(path, 'a', 0o600)
}

/**
 * Cuts a log that a running program writes to. The program holds the file open, so the content is copied and the file
 * emptied (it is open for appending: the next line goes to its start). Lines written between the two steps are lost.
 */
export function trimLog(path: string): void {
  if (sizeOf(path) <= maxLogBytes) return
  try {
    copyFileSync(path, `${path}.1`)
  } catch {
    // No room for the copy: then all the more the log must shrink.
  }
  truncateSync(path)
}

/** The log's text from this byte on (at most 64 KiB from its end). */
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
