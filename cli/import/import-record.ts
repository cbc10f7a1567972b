import { derivedUuidV7, isUuidV7, timeOfUuidV7 } from '@clicktally/contract/uuid-v7.ts'
import type { Line, LinePosition } from '@clicktally/text-file/line.ts'

/** Why a record of a file is no click: as the server says it, or found before it was sent. */
export interface RecordRefusal {
  readonly code: string
  readonly detail: string
}

/** What a file holds for one click: a line, or in CSV perhaps several. */
export interface ImportRecord {
  /** Of its first line, counted from 1. */
  readonly line: number
  /** As it is in the file. */
  readonly text: string
  /** The event as `POST /v1/backfill` takes it, JSON on one line; or why there is none to send. */
  readonly event: string | RecordRefusal
  /** When the click took place, milliseconds since 1970, as far as that is known here. */
  readonly timeMs?: number | undefined
  /** Where the next one begins. */
  readonly end: LinePosition
}

/** Makes records of lines that come block by block. */
export interface RecordReader {
  read(lines: readonly Line[]): ImportRecord[]
  /** What is left when there are no more lines. */
  end(): ImportRecord[]
}

// Keeps these ids apart from those of any other program that hashes the same lines.
const salt = 'clicktally-import-1'

/**
 * The id of a click that came without one: its own time, and a hash of what it was made from.
 *
 * It rests on the line's number and content, not on the file's name, so the same file, or a longer version of it, gives the
 * same ids under any name. The number tells equal lines apart, at the price that a line which has moved is another click.
 *
 * @param source what the person called the source: tells apart files whose lines are equal though their clicks are not
 * @param line counted from 1
 * @returns undefined where a UUIDv7 can't have that time; the server will say what is wrong with it
 */
export function importId(timeMs: number, source: string, line: number, content: string): string | undefined {
  return timeMs >= 0 ? derivedUuidV7(timeMs, `${salt}\n${source}\n${line}\n${content}`) : undefined
}

/** The time inside the id that a file gives, if it is one. */
export function timeInside(id: unknown): number | undefined {
  const text = typeof id === 'string' ? id.toLowerCase() : ''
  return isUuidV7(text) ? timeOfUuidV7(text) : undefined
}
