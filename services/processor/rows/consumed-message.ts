import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { type EventField, eventFields } from '@clicktally/event/event-fields.ts'
import { createMessageDecoder, decodeMessage, type LineTaker } from '@clicktally/message/clicks-message.ts'
import { type LedgerStamp, readStamp } from '@clicktally/message/ledger-stamp.ts'
import { clicksMessageType, copiedFromHeader } from '@clicktally/message/message-type.ts'
import type { Message } from 'amqplib'
import type { BinaryCopy } from './binary-copy.ts'
import type { ClickRow } from './click-row.ts'
import { RowWriter } from './row-writer.ts'

/** A message from a queue. Each of its clicks is in `clicks` or in one of the dead letters. */
export interface ConsumedMessage {
  readonly stamp: LedgerStamp
  readonly clicks: readonly ClickRow[]
  readonly deadLetters: readonly DeadLetter[]
  /**
   * When the last of its clicks was received, milliseconds since 1970. 0 if it has none, and for copies of clicks that another cell has
   * counted: they say nothing about how far this queue is counted.
   */
  readonly receivedThroughMs: number
  /** Of the span that published it, if that was recorded. */
  readonly traceparent?: string | undefined
}

/** What cannot be counted, with what a person needs to judge it and to replay it. */
export interface DeadLetter {
  readonly reason: string
  readonly detail: string
  /** The AMQP type of the message. */
  readonly type: string | undefined
  readonly content: Buffer
  /** How many clicks these are. */
  readonly clicks: number
  /** Their ids, as far as they can be recognised. */
  readonly clickIds: readonly string[]
  /** The project of each of them, in the same order; 0 where it is unknown. */
  readonly clickProjects: readonly number[]
  readonly requestId: string | undefined
}

/** How many clicks a message has according to its stamp; 1 without a stamp. */
export function declaredClickCount({ properties }: Message): number {
  return readStamp(properties.headers)?.clicks ?? 1
}

/** When the first click of a message was received, milliseconds since 1970; undefined if it has none that can be read. */
export function firstReceivedAtMs({ properties, content }: Message): number | undefined {
  const end = content.indexOf('\n')
  const line = end === -1 ? content : content.subarray(0, end)
  return decodeMessage(asText(properties.type), line).clicks[0]?.receivedAtMs
}

/**
 * Reads a message of the queue `clicks`. Never throws: what cannot be read is in the dead letters.
 *
 * @param rows to which the rows of its clicks are appended
 */
export type ClickReader = (message: Message, rows: BinaryCopy) => ConsumedMessage

/** @param fields those of `eventFields`, or more */
export function createClickReader(fields: readonly EventField[]): ClickReader {
  const decodeMessage = createMessageDecoder(fields)
  const writer = new RowWriter(fields)
  return ({ properties, content }, rows) => {
    const stamp = readStamp(properties.headers)
    if (stamp?.clicks === 0 && content.length === 0) return { stamp, clicks: [], deadLetters: [], receivedThroughMs: 0 }
    const type = asText(properties.type)
    const clicks: ClickRow[] = []
    let receivedThroughMs = 0
    const take: LineTaker = (line, from, to, requestFrom) => {
      clicks.push(writer.writeLine(line, content, from, to, requestFrom, rows))
      receivedThroughMs = Math.max(receivedThroughMs, line.receivedAtMs)
    }
    const { clicks: decoded, undecodable } = decodeMessage(type, content, isUtf8(content) ? take : undefined)
    for (const click of decoded) {
      clicks.push(writer.writeClick(click, rows))
      receivedThroughMs = Math.max(receivedThroughMs, click.receivedAtMs)
    }
    const deadLetters = undecodable.map(({ content: part, reason, detail }): DeadLetter => {
      const isWhole = part === content
      const lost = isWhole ? Math.max(1, stamp?.clicks ?? 0) : 1
      return { reason, detail, type, content: part, clicks: lost, ...clicksIn(part, type), requestId: undefined }
    })
    return {
      stamp: stamp ?? madeStamp(properties.messageId, content, clicks.length + deadLetters.length),
      clicks,
      deadLetters,
      receivedThroughMs: properties.headers?.[copiedFromHeader] === undefined ? receivedThroughMs : 0,
      traceparent: asText(properties.headers?.traceparent),
    }
  }
}

export const readClicks = createClickReader(eventFields)

/**
 * Reads a message of the queue `clicks.dead`, where the broker moves what it gives up. As a whole, without looking at its clicks:
 * they may be what crashes a processor.
 */
export function readDeadLetter({ properties, content }: Message): ConsumedMessage {
  const headers: Record<string, unknown> = properties.headers ?? {}
  const stamp = readStamp(headers)
  const lines = content
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '').length
  const clicks = stamp?.clicks ?? Math.max(1, lines)
  const [death] = Array.isArray(headers['x-death']) ? (headers['x-death'] as Record<string, unknown>[]) : []
  const reason = asText(death?.reason) ?? asText(headers.reason) ?? 'given_up_by_broker'
  const detail =
    death === undefined
      ? (asText(headers.detail) ?? 'The message was found in the queue clicks.dead.')
      : `RabbitMQ moved the message out of the queue ${asText(death.queue) ?? 'clicks'}.`
  const type = asText(properties.type)
  const letter: DeadLetter = {
    reason,
    detail,
    type,
    content,
    clicks,
    ...clicksIn(content, type),
    requestId: asText(headers['request-id']),
  }
  return {
    stamp: stamp ?? madeStamp(properties.messageId, content, clicks),
    clicks: [],
    deadLetters: [letter],
    receivedThroughMs: 0,
  }
}

/**
 * The stamp of a message that was published by hand, without one. It is derived from the message's id, or else its content, so that
 * the message is accounted for once, however often it is delivered.
 */
function madeStamp(messageId: unknown, content: Buffer, clicks: number): LedgerStamp {
  const hash = createHash('sha256')
    .update(asText(messageId) ?? content)
    .digest('hex')
  const producer = hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { producer, sequence: 1, clicks, settled: 0, confirmed: 0 }
}

/** The ids and projects of clicks in arbitrary content, without parsing it. */
function clicksIn(content: Buffer, type: string | undefined): Pick<DeadLetter, 'clickIds' | 'clickProjects'> {
  const text = content.toString('latin1')
  const found = text.matchAll(
    /"id"\s*:\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"(?:\s*,\s*(?:"projectId"\s*:\s*([1-9]\d{0,8})|("target")))?/g,
  )
  const projects = new Map<string, number>()
  let before = 0
  for (const [, id = '', project, target] of found) {
    // A short line has the target there, and the project of the line before it.
    const isShort = target !== undefined && type === clicksMessageType
    before = isShort ? before : Number(project ?? 0)
    projects.set(id, before)
  }
  const clicks = [...projects].slice(0, 500)
  return { clickIds: clicks.map(([id]) => id), clickProjects: clicks.map(([, project]) => project) }
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, 500) : undefined
}
