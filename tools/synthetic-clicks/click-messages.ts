import { randomBytes } from 'node:crypto'
import { type Click, defaultProjectId } from '@clicktally/event/click.ts'
import { formatUuidV7 } from '@clicktally/event/uuid-v7.ts'
import { encodeClick } from '@clicktally/message/clicks-message.ts'
import { ClickDrafts, visitorName } from './click-draft.ts'

/** A message as ingest publishes it under load. */
export interface QueueMessage {
  readonly content: Buffer
  readonly clicks: number
}

export interface ClickRange {
  readonly clicks: number
  /** Equal seeds yield equal clicks, apart from their ids and times. */
  readonly seed: number
  /** Milliseconds since 1970. The clicks are spread evenly between these times, in order. */
  readonly fromMs: number
  readonly toMs: number
  /** The target of all clicks, instead of the usual mixture. */
  readonly target?: string
  /** When ingest received them, in milliseconds since 1970. Default: the time of the click. */
  readonly receivedAtMs?: number
}

/** The default of SyntheticClicks. */
const visitors = 100_000
/** What ingest groups into a message while 256 connections send single clicks. */
export const clicksPerMessage = 200
/** Messages after which some of their clicks are repeated. By then, another batch is being written. */
const messagesPerBlock = 50

/** Returns the range of this many clicks in the last hour. */
export function lastHour(clicks: number, seed: number): ClickRange {
  const toMs = Date.now()
  return { clicks, seed, fromMs: toMs - 3_600_000, toMs }
}

/** Makes clicks as they travel through the broker, each from a request of its own. */
export function* makeClicks({ clicks, seed, fromMs, toMs, target, receivedAtMs }: ClickRange): Generator<Click> {
  const drafts = new ClickDrafts(seed, visitors)
  const names: string[] = []
  const stepMs = (toMs - fromMs) / clicks
  // A counter instead of random bits for each id: fetching those would take most of the time.
  const idPrefix = randomBytes(4).toString('hex').slice(1)
  for (let index = 0; index < clicks; index += 1) {
    const draft = drafts.next()
    const { visitor, bot, referrer } = draft
    const timeMs = Math.floor(fromMs + index * stepMs)
    const id = formatUuidV7(timeMs, idPrefix + index.toString(16).padStart(12, '0'))
    names[visitor] ??= visitorName(seed, visitor)
    yield {
      id,
      projectId: defaultProjectId,
      target: target ?? draft.target,
      occurredAtMs: timeMs,
      receivedAtMs: receivedAtMs ?? timeMs,
      // As long as those of nginx: 32 hexadecimal digits.
      requestId: id.replaceAll('-', ''),
      ...(bot && { bot }),
      visitorId: names[visitor],
      ...(referrer !== undefined && { referrer }),
    }
  }
}

/** Packs the clicks into messages in their order; all messages are full but the last. */
export function* messagesOf(clicks: Iterable<Click>): Generator<QueueMessage> {
  let lines: string[] = []
  for (const click of clicks) {
    lines.push(encodeClick(click))
    if (lines.length < clicksPerMessage) continue
    yield messageOf(lines)
    lines = []
  }
  if (lines.length > 0) yield messageOf(lines)
}

/**
 * Repeats some clicks of each block of messages after it, in messages of their own, as clients do that got no response.
 *
 * @param share of the repeated clicks among all resulting clicks, 0 to 1
 */
export function* withRepeats(messages: readonly QueueMessage[], share: number): Generator<QueueMessage> {
  const repeatsPerClick = share / (1 - share)
  for (let start = 0; start < messages.length; start += messagesPerBlock) {
    const block = messages.slice(start, start + messagesPerBlock)
    yield* block
    const lines = block
      .flatMap(({ content }) => content.toString().split('\n'))
      .filter((_, index) => Math.floor((index + 1) * repeatsPerClick) > Math.floor(index * repeatsPerClick))
    for (let at = 0; at < lines.length; at += clicksPerMessage) yield messageOf(lines.slice(at, at + clicksPerMessage))
  }
}

export function clicksIn(messages: readonly QueueMessage[]): number {
  return messages.reduce((sum, { clicks }) => sum + clicks, 0)
}

function messageOf(lines: readonly string[]): QueueMessage {
  return { content: Buffer.from(lines.join('\n')), clicks: lines.length }
}
