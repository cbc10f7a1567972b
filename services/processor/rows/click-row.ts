import { Buffer } from 'node:buffer'
import type { Click } from '@clicktally/event/click.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import { completeClick, requestFieldsAt } from '@clicktally/message/short-line.ts'
import type { BinaryCopy } from './binary-copy.ts'

/** Offset of the primary key in a row: the number of columns and the length of the id precede it. The length of the project is inside. */
const keyFrom = 6
const keyBytes = 24

/**
 * A click of a consumed message: what the counters need of it, and its row for COPY. Other fields are decoded again from the line
 * where they are needed, which is where COPY cannot be used. Flat and small, since thousands are held at a time.
 */
export interface ClickRow {
  readonly projectId: number
  readonly target: string
  /** When it happened, milliseconds since 1970. */
  readonly occurredAtMs: number
  /** When it happened, in whole minutes since 1970. */
  readonly minute: number
  readonly bot: boolean
  /** Undefined if the click has no visitor. */
  readonly visitorHash: number | undefined
  /** Its row is there from `rowFrom` to `rowTo`. */
  readonly rows: BinaryCopy
  readonly rowFrom: number
  readonly rowTo: number
  /** Its line is there from `lineFrom` to `lineTo`. */
  readonly content: Buffer
  readonly lineFrom: number
  readonly lineTo: number
  /** Where the line begins there that has the fields of the click's request: `lineFrom`, unless the click's line is short. */
  readonly requestFrom: number
}

/** Read from its row: only valid until the batch ends, when the rows' buffer is reused. */
export function idOf({ rows, rowFrom }: ClickRow): string {
  return rows.uuidAt(rowFrom + keyFrom)
}

/** Writes the 16 bytes of its id into a buffer. Only valid until the batch ends. */
export function copyId({ rows, rowFrom }: ClickRow, into: Buffer, at: number): void {
  rows.copyUuid(rowFrom + keyFrom, into, at)
}

/** The primary key as text: `id/project`. Only valid until the batch ends. */
export function keyOf(click: ClickRow): string {
  return `${idOf(click)}/${click.projectId}`
}

/** Compares by primary key, id and project; 0 for the same click. */
export function compareKeys(a: ClickRow, b: ClickRow): number {
  return a.rows.compare(a.rowFrom + keyFrom, b.rows, b.rowFrom + keyFrom, keyBytes)
}

/** Words of 32 bits in a primary key. */
export const keyWords = keyBytes / 4

/** A part of the primary key. Only valid until the batch ends. @param word 0 to `keyWords` - 1 */
export function keyWord({ rows, rowFrom }: ClickRow, word: number): number {
  return rows.wordAt(rowFrom + keyFrom + 4 * word)
}

/** The click's line; of a short line, the complete one. */
export function lineOf(click: ClickRow): Buffer {
  const { content, lineFrom, lineTo, requestFrom } = click
  return requestFrom === lineFrom ? content.subarray(lineFrom, lineTo) : Buffer.from(encodeClick(decodeLine(click)))
}

/** The whole click, decoded from its line. */
export function decodeLine({ content, lineFrom, lineTo, requestFrom }: ClickRow): Click {
  const line = JSON.parse(content.toString('utf8', lineFrom, lineTo)) as Click
  return requestFrom === lineFrom ? line : completeClick(line, requestFieldsAt(content, requestFrom))
}
