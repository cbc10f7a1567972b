import { isUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { derivedUuidV7 } from '@clicktally/message/derived-uuid-v7.ts'
import type { Line, LinePosition } from '@clicktally/text-file/line.ts'

/** Why a record is not a click, found by the server or before sending. */
export interface RecordRefusal {
  readonly code: string
  readonly detail: string
}

/** The part of a file for one click: a line, or in CSV perhaps several. */
export interface ImportRecord {
  /** Number of its first line, from 1. */
  readonly line: number
  /** The original text. */
  readonly text: string
  /** The event for `POST /v1/backfill`, as JSON on one line; or why there is none. */
  readonly event: string | RecordRefusal
  /** When the click happened, milliseconds since 1970, if it is known here. */
  readonly timeMs?: number | undefined
  /** Where the next one begins. */
  readonly end: LinePosition
}

/** Turns blocks of lines into records. */
export interface RecordReader {
  read(lines: readonly Line[]): ImportRecord[]
  /** The remaining records, after the last line. */
  end(): ImportRecord[]
}

// Makes these ids differ from those of any other program that hashes the same lines.
const salt = 'clicktally-import-1'

/**
 * The id of a click without one: its time, and a hash of its source.
 *
 * It depends on the line's number and content, but not on the file's name, so the same file or a longer version of it gives the
 * same ids under any name. The number distinguishes equal lines; in return, a line that has moved becomes another click.
 *
 * @param source name that a person gave the source, to distinguish files with equal lines but different clicks
 * @param line number of the line, from 1
 * @returns undefined if a UUIDv7 cannot have that time; the server then reports the error
 */
export function importId(timeMs: number, source: string, line: number, content: string): string | undefined {
  return timeMs >= 0 ? derivedUuidV7(timeMs, `${salt}\n${source}\n${line}\n${content}`) : undefined
}

/** The time in an id from a file, if it is a UUIDv7. */
export function timeInside(id: unknown): number | undefined {
  const text = typeof id === 'string' ? id.toLowerCase() : ''
  return isUuidV7(text) ? timeOfUuidV7(text) : undefined
}
