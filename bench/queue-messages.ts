import { type Click, defaultProjectId } from '@clicktally/contract/click.ts'
import { encodeClick } from '@clicktally/contract/clicks-message.ts'
import { ClickDrafts, visitorName } from '@clicktally/made-clicks/click-draft.ts'
import { PooledIds } from './pooled-ids.ts'

/** A message as an ingest under load publishes it. */
export interface QueueMessage {
  readonly content: Buffer
  readonly clicks: number
}

export interface ClickRange {
  readonly clicks: number
  /** The same seed gives the same clicks, but for their ids and times. */
  readonly seed: number
  /** Milliseconds since 1970: the clicks are spread evenly over the time between, and come in its order. */
  readonly fromMs: number
  readonly toMs: number
  /** Clicked by all of them, in place of the usual mixture. */
  readonly target?: string
  /** When an ingest received them, in milliseconds since 1970; default: the moment of the click. */
  readonly receivedAtMs?: number
}

/** As many as MadeClicks has by default. */
const visitors = 100_000
/** What an ingest gathers while it waits for a confirm, when 256 connections send one click a request. */
export const clicksPerMessage = 200
/** Every block of clicks is followed by those of it that are sent again: by then another batch is being written. */
const blockMessages = 50

/** Clicks as they travel through the broker, each from a request of its own; made as MadeClicks makes them. */
export function* makeClicks({ clicks, seed, fromMs, toMs, target, receivedAtMs }: ClickRange): Generator<Click> {
  const drafts = new ClickDrafts(seed, visitors)
  const ids = new PooledIds()
  const names: string[] = []
  const stepMs = (toMs - fromMs) / clicks
  for (let index = 0; index < clicks; index += 1) {
    const draft = drafts.next()
    const { visitor, bot, referrer } = draft
    const timeMs = Math.floor(fromMs + index * stepMs)
    const id = ids.next(timeMs)
    names[visitor] ??= visitorName(seed, visitor)
    yield {
      id,
      projectId: defaultProjectId,
      target: target ?? draft.target,
      occurredAtMs: timeMs,
      receivedAtMs: receivedAtMs ?? timeMs,
      // nginx makes one of 32 hexadecimal digits; these cost nothing, and are as long.
      requestId: id.replaceAll('-', ''),
      ...(bot && { bot }),
      visitorId: names[visitor],
      ...(referrer !== undefined && { referrer }),
    }
  }
}

/** Messages with these clicks in their order, each message full but for the last. */
export function* messagesOf(clicks: Iterable<Click>): Generator<QueueMessage> {
  let lines: string[] = []
  for (const click of clicks) {
    lines.push(encodeClick(click))
    if (lines.length === clicksPerMessage) {
      yield messageOf(lines)
      lines = []
    }
  }
  if (lines.length > 0) yield messageOf(lines)
}

/**
 * The messages, and after each block of them such a share of its clicks again, evenly chosen, in messages of their own: as
 * when clients got no answer and sent once more.
 *
 * @param share of all clicks that come out, 0 to 1
 */
export function* withRepeats(messages: Iterable<QueueMessage>, share: number): Generator<QueueMessage> {
  let block: QueueMessage[] = []
  for (const message of messages) {
    yield message
    block.push(message)
    if (block.length === blockMessages) {
      yield* repeatsOf(block, share)
      block = []
    }
  }
  yield* repeatsOf(block, share)
}

function* repeatsOf(block: readonly QueueMessage[], share: number): Generator<QueueMessage> {
  const lines = block.flatMap(({ content }) => content.toString().split('\n'))
  const ofThese = share / (1 - share)
  const chosen = lines.filter((_, index) => Math.floor((index + 1) * ofThese) > Math.floor(index * ofThese))
  for (let start = 0; start < chosen.length; start += clicksPerMessage) {
    yield messageOf(chosen.slice(start, start + clicksPerMessage))
  }
}

function messageOf(lines: readonly string[]): QueueMessage {
  return { content: Buffer.from(lines.join('\n')), clicks: lines.length }
}

export function clicksIn(messages: readonly QueueMessage[]): number {
  return messages.reduce((sum, { clicks }) => sum + clicks, 0)
}
