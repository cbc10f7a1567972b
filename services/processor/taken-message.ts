import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { ClickLine } from '@clicktally/contract/click-line.ts'
import { decodeMessage } from '@clicktally/contract/clicks-message.ts'
import { type LedgerStamp, readStamp } from '@clicktally/contract/ledger-stamp.ts'
import type { Message } from 'amqplib'
import type { BinaryCopy } from './binary-copy.ts'
import { type TakenClick, takeClick, takeLine } from './taken-click.ts'

/** A message as it was taken from a queue: each of its clicks is in `clicks`, or in one of the dead letters. */
export interface TakenMessage {
  readonly stamp: LedgerStamp
  readonly clicks: readonly TakenClick[]
  readonly deadLetters: readonly DeadLetter[]
  /** When the last of its clicks was received, milliseconds since 1970; 0 where it has none. */
  readonly receivedThroughMs: number
}

/** What can't be counted, with what a person needs to judge it and to have it replayed. */
export interface DeadLetter {
  readonly reason: string
  readonly detail: string
  /** The AMQP type that the content had. */
  readonly type: string | undefined
  readonly content: Buffer
  /** How many clicks these are. */
  readonly clicks: number
  /** Their ids, as far as they can be made out. */
  readonly clickIds: readonly string[]
  readonly requestId: string | undefined
}

const line = new ClickLine()

/** How many clicks a message says to have; 1 where it does not say. */
export function clicksSaidIn({ properties }: Message): number {
  return readStamp(properties.headers)?.clicks ?? 1
}

/**
 * Reads a message of the queue `clicks`. Never throws: what can't be read is in the dead letters.
 *
 * @param rows to which the rows of its clicks are added
 */
export function readClicks({ properties, content }: Message, rows: BinaryCopy): TakenMessage {
  const stamp = readStamp(properties.headers)
  if (stamp?.clicks === 0 && content.length === 0) return { stamp, clicks: [], deadLetters: [], receivedThroughMs: 0 }
  const type = asText(properties.type)
  const clicks: TakenClick[] = []
  let receivedThroughMs = 0
  const takenAsItLies = (from: number, to: number): boolean => {
    if (!line.read(content, from, to)) return false
    clicks.push(takeLine(line, content, from, to, rows))
    receivedThroughMs = Math.max(receivedThroughMs, line.receivedAtMs)
    return true
  }
  const { clicks: decoded, undecodable } = decodeMessage(type, content, isUtf8(content) ? takenAsItLies : undefined)
  for (const click of decoded) {
    clicks.push(takeClick(click, rows))
    receivedThroughMs = Math.max(receivedThroughMs, click.receivedAtMs)
  }
  const deadLetters = undecodable.map(({ content: part, reason, detail }): DeadLetter => {
    const whole = part === content
    const lost = whole ? Math.max(1, stamp?.clicks ?? 0) : 1
    return { reason, detail, type, content: part, clicks: lost, clickIds: idsIn(part), requestId: undefined }
  })
  return {
    stamp: stamp ?? madeStamp(properties.messageId, content, clicks.length + deadLetters.length),
    clicks,
    deadLetters,
    receivedThroughMs,
  }
}

/**
 * Reads a message of the queue `clicks.dead`, where the broker puts what it has given up. As a whole and without a look at
 * its clicks: they may be what kills a processor.
 */
export function readDeadLetter({ properties, content }: Message): TakenMessage {
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
  const letter: DeadLetter = {
    reason,
    detail,
    type: asText(properties.type),
    content,
    clicks,
    clickIds: idsIn(content),
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
 * For a message that was published by hand, without a stamp: its id, or else its content, tells it from others, so that
 * it too is accounted for once, however often it is delivered.
 */
function madeStamp(messageId: unknown, content: Buffer, clicks: number): LedgerStamp {
  const hash = createHash('sha256')
    .update(asText(messageId) ?? content)
    .digest('hex')
  const producer = hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { producer, sequence: 1, clicks, settled: 0, confirmed: 0 }
}

/** The ids of clicks in a text that may be anything, without parsing it. */
function idsIn(content: Buffer): string[] {
  const text = content.toString('latin1')
  const found = text.matchAll(/"id"\s*:\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"/g)
  return [...new Set(Array.from(found, ([, id]) => id ?? ''))].slice(0, 500)
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, 500) : undefined
}
