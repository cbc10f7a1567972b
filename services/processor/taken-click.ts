import { Buffer } from 'node:buffer'
import type { Click } from '@clicktally/contract/click.ts'
import type { ClickLine } from '@clicktally/contract/click-line.ts'
import { encodeClick } from '@clicktally/contract/clicks-message.ts'
import type { BinaryCopy } from './binary-copy.ts'
import { visitorHash } from './visitor-hash.ts'

/** What the row of a click has, in this order. */
export const clickColumns =
  'id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props' as const
const columnCount = 10
/** Where in a row the primary key is: behind the number of columns and the id's length; with the project's length in its middle. */
const keyFrom = 6
const keyBytes = 24
/** Milliseconds. */
export const minuteLengthMs = 60_000

/**
 * A click as it was taken from a message: what it is counted by, and its row. What else it has is read only where somebody
 * asks for it, which is where a copy can't be made. Flat, with small numbers and one text, since thousands are held at a time.
 */
export interface TakenClick {
  readonly projectId: number
  readonly target: string
  /** When it happened, in whole minutes since 1970. */
  readonly minute: number
  readonly bot: boolean
  /** Undefined where the click names no visitor. */
  readonly visitorHash: number | undefined
  /** Among them is its row, of the columns `clickColumns`, from `rowFrom` to `rowTo`. */
  readonly rows: BinaryCopy
  readonly rowFrom: number
  readonly rowTo: number
  /** In it is its line, from `lineFrom` to `lineTo`. */
  readonly content: Buffer
  readonly lineFrom: number
  readonly lineTo: number
}

/** Read from its row, so only until its rows are given back, when its batch is at its end. */
export function idOf({ rows, rowFrom }: TakenClick): string {
  return rows.uuidAt(rowFrom + keyFrom)
}

/** In the order of the primary key, by id and project; 0 for the same click. */
export function compareKeys(a: TakenClick, b: TakenClick): number {
  return a.rows.compare(a.rowFrom + keyFrom, b.rows, b.rowFrom + keyFrom, keyBytes)
}

/** The line that the click came as. */
export function lineOf({ content, lineFrom, lineTo }: TakenClick): Buffer {
  return content.subarray(lineFrom, lineTo)
}

/** All of the click, as its line has it. */
export function readAll(click: TakenClick): Click {
  return JSON.parse(lineOf(click).toString('utf8')) as Click
}

/** A click whose line was read where it lies; its row is added to `rows`. */
export function takeLine(line: ClickLine, content: Buffer, from: number, to: number, rows: BinaryCopy): TakenClick {
  const { idFrom, projectId, targetFrom, targetTo, occurredAtMs, bot, visitorIdFrom, visitorIdTo } = line
  const rowFrom = rows.length
  rows.row(columnCount, to - from)
  rows.uuidIn(content, idFrom)
  rows.int4(projectId)
  rows.timestamptz(occurredAtMs)
  rows.timestamptz(line.receivedAtMs)
  rows.bool(bot)
  rows.textIn(content, targetFrom, targetTo)
  rows.textIn(content, visitorIdFrom, visitorIdTo)
  rows.textIn(content, line.urlFrom, line.urlTo)
  rows.textIn(content, line.referrerFrom, line.referrerTo)
  rows.jsonbIn(content, line.propsFrom, line.propsTo)
  return {
    projectId,
    target: content.toString('utf8', targetFrom, targetTo),
    minute: minuteOf(occurredAtMs),
    bot,
    visitorHash: visitorIdFrom === 0 ? undefined : visitorHash(projectId, content, visitorIdFrom, visitorIdTo),
    rows,
    rowFrom,
    rowTo: rows.length,
    content,
    lineFrom: from,
    lineTo: to,
  }
}

/** The same of a click whose line had to be decoded. */
export function takeClick(click: Click, rows: BinaryCopy): TakenClick {
  const { id, projectId, target, occurredAtMs, receivedAtMs, bot = false, visitorId, url, referrer } = click
  const props = click.props === undefined ? undefined : JSON.stringify(click.props)
  const line = Buffer.from(encodeClick(click))
  const rowFrom = rows.length
  rows.row(columnCount, line.length)
  rows.uuid(id)
  rows.int4(projectId)
  rows.timestamptz(occurredAtMs)
  rows.timestamptz(receivedAtMs)
  rows.bool(bot)
  rows.text(target)
  rows.text(visitorId)
  rows.text(url)
  rows.text(referrer)
  rows.jsonb(props)
  const visitor = visitorId === undefined ? undefined : Buffer.from(visitorId)
  return {
    projectId,
    target,
    minute: minuteOf(occurredAtMs),
    bot,
    visitorHash: visitor && visitorHash(projectId, visitor, 0, visitor.length),
    rows,
    rowFrom,
    rowTo: rows.length,
    content: line,
    lineFrom: 0,
    lineTo: line.length,
  }
}

/** Of the time as it is stored: a fraction of a millisecond is cut off. */
function minuteOf(timeMs: number): number {
  return Math.floor(Math.trunc(timeMs) / minuteLengthMs)
}
