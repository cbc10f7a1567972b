import { Buffer } from 'node:buffer'
import { clickColumns } from '@clicktally/database/click-columns.ts'
import type { Click } from '@clicktally/event/click.ts'
import { type EventField, type OptionalTextName, optionalTexts } from '@clicktally/event/event-fields.ts'
import type { ClickLine } from '@clicktally/message/click-line.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import type { BinaryCopy } from './binary-copy.ts'
import type { ClickRow } from './click-row.ts'
import { visitorHash } from './visitor-hash.ts'

/** Milliseconds. */
export const minuteLengthMs = 60_000

/** Writes the rows of clicks, with the columns of clickColumns() in their order. */
export class RowWriter {
  readonly #columnCount: number
  readonly #textNames: readonly OptionalTextName[]
  /** Where the visitor's id begins in `ClickLine.texts`. */
  readonly #visitorAt: number

  /** @param fields those of `eventFields`, or more */
  constructor(fields: readonly EventField[]) {
    this.#columnCount = clickColumns(fields).length
    this.#textNames = optionalTexts(fields).map(({ name }) => name)
    this.#visitorAt = 2 * this.#textNames.indexOf('visitorId')
  }

  /**
   * Appends the row of the click that `line` has read in `content`, from `from` to `to`.
   *
   * @param requestFrom where the line begins that has the fields of its request
   */
  writeLine(
    line: ClickLine,
    content: Buffer,
    from: number,
    to: number,
    requestFrom: number,
    rows: BinaryCopy,
  ): ClickRow {
    const { projectId, targetFrom, targetTo, occurredAtMs, bot, texts } = line
    const rowFrom = rows.length
    rows.row(this.#columnCount, to - from)
    rows.uuidOf(line.id)
    rows.int4(projectId)
    rows.timestamptz(occurredAtMs)
    rows.timestamptz(line.receivedAtMs)
    rows.bool(bot)
    rows.textIn(content, targetFrom, targetTo)
    for (let at = 0; at < texts.length; at += 2) rows.textIn(content, texts[at] as number, texts[at + 1] as number)
    rows.jsonbIn(content, line.propsFrom, line.propsTo)
    const visitorFrom = texts[this.#visitorAt] as number
    const visitorTo = texts[this.#visitorAt + 1] as number
    return {
      projectId,
      target: content.toString('utf8', targetFrom, targetTo),
      occurredAtMs,
      minute: minuteOf(occurredAtMs),
      bot,
      visitorHash: visitorFrom === 0 ? undefined : visitorHash(projectId, content, visitorFrom, visitorTo),
      rows,
      rowFrom,
      rowTo: rows.length,
      content,
      lineFrom: from,
      lineTo: to,
      requestFrom,
    }
  }

  /** Appends the row of a click whose line had to be decoded. */
  writeClick(click: Click, rows: BinaryCopy): ClickRow {
    const { id, projectId, target, occurredAtMs, receivedAtMs, bot = false, visitorId, props } = click
    const line = Buffer.from(encodeClick(click))
    const rowFrom = rows.length
    rows.row(this.#columnCount, line.length)
    rows.uuid(id)
    rows.int4(projectId)
    rows.timestamptz(occurredAtMs)
    rows.timestamptz(receivedAtMs)
    rows.bool(bot)
    rows.text(target)
    for (const name of this.#textNames) rows.text(click[name])
    rows.jsonb(props === undefined ? undefined : JSON.stringify(props))
    const visitor = visitorId === undefined ? undefined : Buffer.from(visitorId)
    return {
      projectId,
      target,
      occurredAtMs,
      minute: minuteOf(occurredAtMs),
      bot,
      visitorHash: visitor && visitorHash(projectId, visitor, 0, visitor.length),
      rows,
      rowFrom,
      rowTo: rows.length,
      content: line,
      lineFrom: 0,
      lineTo: line.length,
      requestFrom: 0,
    }
  }
}

/** Of the stored time, which has no fractions of a millisecond. */
function minuteOf(timeMs: number): number {
  return Math.floor(Math.trunc(timeMs) / minuteLengthMs)
}
