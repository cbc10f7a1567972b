import { BinaryCopy } from './binary-copy.ts'
import { counterDeltas } from './counter-deltas.ts'
import { clickColumns, compareKeys, minuteLengthMs, type TakenClick } from './taken-click.ts'
import type { TakenMessage } from './taken-message.ts'

/** A message with what of its clicks was dealt with before, in the same transaction. */
export interface LedgerEntry extends Pick<TakenMessage, 'stamp' | 'clicks' | 'deadLetters'> {
  readonly before?: { readonly counted: number; readonly duplicates: number }
}

/** A click and the message it came with: the number of its entry, from 1; 0 for none. */
export interface PlacedClick {
  readonly click: TakenClick
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
copy clicks (${clickColumns}) from stdin (format binary);
copy counter_deltas (project_id, target, minute, total, bots, visitors) from stdin (format binary)`

/** Messages that are written together. */
export class ClickBatch {
  readonly messages: readonly TakenMessage[]
  /** What copyOf() makes of it, from when it is made until it is sent. */
  copy: BinaryCopy | undefined
  #arranged: ArrangedBatch | undefined

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
}

/**
 * Entries by their key, clicks by theirs. The broker may have delivered a message twice: then its ledger entry is made once,
 * and the clicks of the other copy are duplicates, which belong to no entry.
 *
 * @param alone clicks that belong to no message here: their message is entered later in the same transaction
 */
export function arrange(messages: readonly LedgerEntry[], alone: readonly TakenClick[] = []): ArrangedBatch {
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
  placed.sort(({ click: a }, { click: b }) => compareKeys(a, b))
  const clicks = placed.filter(({ click }, index) => {
    const before = placed[index - 1]?.click
    return before === undefined || compareKeys(before, click) !== 0
  })
  return { entries, clicks }
}

/**
 * The data of `copyStatements`: the messages, their clicks but for those that are known, and what these add to the counters.
 * To be written as a whole or not at all: that a click is new shows only when its id is accepted.
 *
 * @param copy where it is written; it is empty
 * @param isKnown whether a click is stored already
 */
export function copyOf(
  { entries, clicks }: ArrangedBatch,
  copy = new BinaryCopy(),
  isKnown?: (click: TakenClick) => boolean,
): BinaryCopy {
  const isNew = isKnown === undefined ? clicks : clicks.filter(({ click }) => !isKnown(click))
  const counted = new Uint32Array(entries.length + 1)
  for (const { entry } of isNew) counted[entry] = (counted[entry] as number) + 1

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
  for (const { click } of isNew) copy.rows(click.rows, click.rowFrom, click.rowTo)
  copy.end()

  copy.begin()
  for (const { projectId, target, minute, total, bots, visitors } of counterDeltas(clicksOf(isNew))) {
    copy.row(6, 3 * target.length + 8 * visitors.size)
    copy.int4(projectId)
    copy.text(target)
    copy.timestamptz(minute * minuteLengthMs)
    copy.int4(total)
    copy.int4(bots)
    copy.int4Array(visitors.sketch())
  }
  copy.end()
  return copy
}

function* clicksOf(placed: readonly PlacedClick[]): Generator<TakenClick> {
  for (const { click } of placed) yield click
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
