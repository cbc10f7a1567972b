import { isUuidV7, timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { derivedUuidV7 } from '@clicktally/message/derived-uuid-v7.ts'
import type { Line, LinePosition } from '@clicktally/text-file/line.ts'

/** Why a record is not a click, found by the server or before sending. */
export interface RecordRefusal {
  readonly code: string
  readonly detail: string
  /** It is no mistake: the record is something else than a click, such as a page view. */
  readonly isSkipped?: true
}

/** What a reader makes of a part of a file. */
export interface Reading {
  /** The event for `POST /v1/backfill`, as JSON on one line; or why there is none. */
  readonly event: string | RecordRefusal
  /** When the click happened, milliseconds since 1970, if it is known here. */
  readonly timeMs?: number | undefined
}

/** A click, and the part of a file that it comes from: a line, or in CSV perhaps several. A part may have several clicks. */
export interface ImportRecord extends Reading {
  /** Number of its first line, from 1. */
  readonly line: number
  /** The original text. */
  readonly text: string
  /** Where the next part begins. */
  readonly end: LinePosition
  /** Further records of the same part follow. An import that is interrupted here reads the part again. */
  readonly isPartial?: true
}

/** Turns blocks of lines into records. */
export interface RecordReader {
  read(lines: readonly Line[]): Iterable<ImportRecord>
  /** The remaining records, after the last line. */
  end(): Iterable<ImportRecord>
}

/** The records of one part of a file. */
export function* recordsOf(
  place: Pick<ImportRecord, 'line' | 'text' | 'end'>,
  readings: Iterable<Reading>,
): Generator<ImportRecord> {
  let last: Reading | undefined
  for (const reading of readings) {
    if (last !== undefined) yield { ...place, ...last, isPartial: true }
    last = reading
  }
  if (last !== undefined) yield { ...place, ...last }
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

/**
 * The id of a click that its source identifies: it may be anywhere in the file, and is the same click in a later export.
 *
 * @param identity what identifies the click in its source, such as the name of the format and the id there
 */
export function identifiedId(
  timeMs: number,
  source: string,
  ...identity: readonly (string | number)[]
): string | undefined {
  return timeMs >= 0 ? derivedUuidV7(timeMs, `${salt}\n${JSON.stringify([source, ...identity])}`) : undefined
}

/** The time in an id from a file, if it is a UUIDv7. */
export function timeInside(id: unknown): number | undefined {
  const text = typeof id === 'string' ? id.toLowerCase() : ''
  return isUuidV7(text) ? timeOfUuidV7(text) : undefined
}
