import type { ClickColumn } from '@clicktally/database/click-columns.ts'
import { counterDeltas } from '../store/counter-deltas.ts'
import { BinaryCopy } from './binary-copy.ts'
import { type ClickRow, compareKeys } from './click-row.ts'
import type { ConsumedMessage } from './consumed-message.ts'
import { minuteLengthMs } from './row-writer.ts'

/** A message, and those of its clicks that were written earlier in the same transaction. */
export interface LedgerEntry extends Pick<ConsumedMessage, 'stamp' | 'clicks' | 'deadLetters'> {
  readonly before?: { readonly counted: number; readonly duplicates: number }
}

/** A click and the number of its message's entry, from 1; 0 for none. */
export interface PlacedClick {
  readonly click: ClickRow
  readonly entry: number
}

/** Messages without duplicates, in the order in which all processors write. */
export interface ArrangedBatch {
  readonly entries: readonly LedgerEntry[]
  readonly clicks: readonly PlacedClick[]
}

/**
 * The statements that take the data of copyOf(). Clicks come before messages, as in count-clicks.ts: a message may be at two
 * processors, one of which the broker has given up, and they would otherwise deadlock.
 *
 * @param columns of the clicks' rows
 */
export function copyStatements(columns: readonly ClickColumn[]): string {
  return `
copy clicks (${columns.map(({ name }) => name).join(', ')}) from stdin (format binary);
copy messages (producer, sequence, clicks, counted, duplicates, dead, settled, confirmed) from stdin (format binary);
copy counter_deltas (project_id, target, minute, total, bots, visitors) from stdin (format binary)`
}

/** Messages that are written together. */
export class ClickBatch {
  readonly messages: readonly ConsumedMessage[]
  /** The result of copyOf() until it is sent, and how many clicks it leaves out because they are known. */
  prepared: { readonly copy: BinaryCopy; readonly known: number } | undefined
  #arranged: ArrangedBatch | undefined

  constructor(messages: readonly ConsumedMessage[]) {
    this.messages = messages
  }

  get arranged(): ArrangedBatch {
    this.#arranged ??= arrange(this.messages)
    return this.#arranged
  }

  /** Clicks in its messages, duplicates included. */
  get clicks(): number {
    return this.messages.reduce((sum, { clicks }) => sum + clicks.length, 0)
  }

  /** Whether it can be written with COPY: dead letters cannot. */
  get isCopyable(): boolean {
    return this.messages.every(({ deadLetters }) => deadLetters.length === 0)
  }
}

/**
 * Sorts the entries and the clicks by their keys. If the broker delivered a message twice, it gets one entry, and the clicks of
 * the other copy are duplicates, which belong to no entry.
 *
 * @param alone clicks whose message is entered later in the same transaction
 */
export function arrange(messages: readonly LedgerEntry[], alone: readonly ClickRow[] = []): ArrangedBatch {
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
  // Clicks without an entry come last, so that of two equal clicks the one with an entry is kept.
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
 * The data of copyStatements(): the clicks without those that are known, their messages, and what the clicks add to the counters.
 * Written in one transaction: whether a click is new shows only when its id is accepted.
 *
 * @param copy an empty buffer for the data
 * @param isKnown whether a click is stored already
 */
export function copyOf(
  { entries, clicks }: ArrangedBatch,
  copy = new BinaryCopy(),
  isKnown?: (click: ClickRow) => boolean,
): BinaryCopy {
  const isNew = isKnown === undefined ? clicks : clicks.filter(({ click }) => !isKnown(click))
  const counted = new Uint32Array(entries.length + 1)
  for (const { entry } of isNew) counted[entry] = (counted[entry] as number) + 1

  copy.begin()
  for (const { click } of isNew) copy.rows(click.rows, click.rowFrom, click.rowTo)
  copy.end()

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

function* clicksOf(placed: readonly PlacedClick[]): Generator<ClickRow> {
  for (const { click } of placed) yield click
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
