import type { Click } from '@clicktally/contract/click.ts'
import { BinaryCopy } from './binary-copy.ts'
import { counterDeltas, visitorSketch } from './counter-deltas.ts'
import type { TakenMessage } from './taken-message.ts'

/** A message with what of its clicks was dealt with before, in the same transaction. */
export type LedgerEntry = TakenMessage & { readonly before?: { readonly counted: number; readonly duplicates: number } }

/** A click and the message it came with: the number of its entry, from 1; 0 for none. */
export interface PlacedClick {
  readonly click: Click
  readonly entry: number
}

/** Messages as they are written: what is there twice is there once, and all is in the order in which everybody writes. */
export interface ArrangedBatch {
  readonly entries: readonly LedgerEntry[]
  readonly clicks: readonly PlacedClick[]
}

/** The columns in the order of the data that copyOf() makes. */
export const copyStatements = `
copy messages (producer, sequence, clicks, counted, duplicates, dead, settled, confirmed) from stdin (format binary);
copy clicks (id, project_id, occurred_at, received_at, bot, target, visitor_id, url, referrer, props) from stdin (format binary);
copy counter_deltas (project_id, target, minute, total, bots, visitors) from stdin (format binary)`

/** Messages that are written together, with what is made of them for that; it is made once, when it is first asked for. */
export class ClickBatch {
  readonly messages: readonly TakenMessage[]
  #arranged: ArrangedBatch | undefined
  #copy: Buffer | undefined

  constructor(messages: readonly TakenMessage[]) {
    this.messages = messages
  }

  get arranged(): ArrangedBatch {
    this.#arranged ??= arrange(this.messages)
    return this.#arranged
  }

  /** Clicks in its messages, those that are there twice included. */
  get clicks(): number {
    return this.messages.reduce((sum, { clicks }) => sum + clicks.length, 0)
  }

  /** Whether it may be written as a copy: dead letters can't. */
  get isCopyable(): boolean {
    return this.messages.every(({ deadLetters }) => deadLetters.length === 0)
  }

  /** The data of `copyStatements`, if all clicks are new. */
  get copy(): Buffer {
    this.#copy ??= copyOf(this.arranged)
    return this.#copy
  }
}

/** About what a click takes; the data grows where it takes more. */
const expectedBytesPerClick = 300

/**
 * Entries by their key, clicks by theirs. The broker may have delivered a message twice: then its ledger entry is made once,
 * and the clicks of the other copy are duplicates, which belong to no entry.
 *
 * @param alone clicks that belong to no message here: their message is entered later in the same transaction
 */
export function arrange(messages: readonly LedgerEntry[], alone: readonly Click[] = []): ArrangedBatch {
  const entries: LedgerEntry[] = []
  const placed: PlacedClick[] = []
  const again: PlacedClick[] = alone.map((click) => ({ click, entry: 0 }))
  const sorted = messages.toSorted(
    (a, b) => compare(a.stamp.producer, b.stamp.producer) || a.stamp.sequence - b.stamp.sequence,
  )
  for (const message of sorted) {
    const before = entries.at(-1)?.stamp
    const isAgain = before?.producer === message.stamp.producer && before.sequence === message.stamp.sequence
    if (!isAgain) entries.push(message)
    const entry = isAgain ? 0 : entries.length
    for (const click of message.clicks) (isAgain ? again : placed).push({ click, entry })
  }
  // Those of no entry last, so that of two equal ones the other is taken.
  for (const click of again) placed.push(click)
  // In the order of the key: two processors that insert the same ids in different orders would deadlock.
  placed.sort(({ click: a }, { click: b }) => compare(a.id, b.id) || a.projectId - b.projectId)
  const clicks = placed.filter(({ click }, index) => {
    const before = placed[index - 1]?.click
    return before === undefined || before.id !== click.id || before.projectId !== click.projectId
  })
  return { entries, clicks }
}

/**
 * The data of `copyStatements`: the messages, their clicks but for those that are known, and what these add to the counters.
 * To be written as a whole or not at all: that a click is new shows only when its id is accepted.
 *
 * @param isKnown whether a click is stored already
 */
export function copyOf({ entries, clicks }: ArrangedBatch, isKnown?: (click: Click) => boolean): Buffer {
  const isNew = isKnown === undefined ? clicks : clicks.filter(({ click }) => !isKnown(click))
  const counted = new Uint32Array(entries.length + 1)
  for (const { entry } of isNew) counted[entry] = (counted[entry] as number) + 1

  const copy = new BinaryCopy(4_096 + entries.length * 100 + isNew.length * expectedBytesPerClick)
  copy.begin()
  for (const [index, { stamp, clicks: readable }] of entries.entries()) {
    const isCounted = counted[index + 1] as number
    copy.row(8, 0)
    copy.uuid(stamp.producer)
    copy.int8(stamp.sequence)
    copy.int4(stamp.clicks)
    copy.int4(isCounted)
    copy.int4(readable.length - isCounted)
    copy.int4(0)
    copy.int8(stamp.settled)
    copy.int8(stamp.confirmed)
  }
  copy.end()

  copy.begin()
  for (const { click } of isNew) {
    const { id, projectId, occurredAtMs, receivedAtMs, bot, target, visitorId, url, referrer } = click
    const props = click.props === undefined ? undefined : JSON.stringify(click.props)
    copy.row(10, 3 * (target.length + length(visitorId) + length(url) + length(referrer) + length(props)))
    copy.uuid(id)
    copy.int4(projectId)
    copy.timestamptz(occurredAtMs)
    copy.timestamptz(receivedAtMs)
    copy.bool(bot === true)
    copy.text(target)
    copy.text(visitorId)
    copy.text(url)
    copy.text(referrer)
    copy.jsonb(props)
  }
  copy.end()

  copy.begin()
  for (const { projectId, target, minuteMs, total, bots, visitors } of counterDeltas(clicksOf(isNew))) {
    copy.row(6, 3 * target.length + 8 * visitors.size)
    copy.int4(projectId)
    copy.text(target)
    copy.timestamptz(minuteMs)
    copy.int4(total)
    copy.int4(bots)
    copy.int4Array(visitorSketch(visitors))
  }
  copy.end()
  return copy.content
}

function* clicksOf(placed: readonly PlacedClick[]): Generator<Click> {
  for (const { click } of placed) yield click
}

function length(text: string | undefined): number {
  return text === undefined ? 0 : text.length
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
