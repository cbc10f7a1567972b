import type { LiveMessage } from '@clicktally/message/live-message.ts'

/** A message of the stream of live clicks. */
export interface LiveEntry extends LiveMessage {
  /** Its number in the stream: the same for every api. */
  readonly offset: number
}

/** A position in the stream: after so many clicks of a message. The id of an event, so that a viewer can resume there. */
export interface LivePosition {
  readonly offset: number
  /** Tells the message from one with the same offset in a stream that was created anew. Milliseconds since 1970. */
  readonly sentAtMs: number
  readonly clicks: number
}

/** The part of a message that a viewer has not seen. */
export interface LiveSlice {
  readonly entry: LiveEntry
  /** The index of its first click in the message. */
  readonly from: number
  /** Whether clicks may be missing before it. */
  readonly hasGap: boolean
}

export function positionText({ offset, sentAtMs, clicks }: LivePosition): string {
  return [offset, sentAtMs, clicks].map((each) => each.toString(36)).join('.')
}

/** @returns undefined if the text is no position */
export function readPosition(text: string): LivePosition | undefined {
  const [, ...parts] = /^([0-9a-z]{1,10})\.([0-9a-z]{1,9})\.([0-9a-z]{1,4})$/.exec(text) ?? []
  const [offset, sentAtMs, clicks] = parts.map((part) => Number.parseInt(part, 36))
  return offset === undefined || sentAtMs === undefined || clicks === undefined
    ? undefined
    : { offset, sentAtMs, clicks }
}

/** Bounds the memory: by estimate 20 MB, and 70 MB if all targets are as long as they may be. */
const maxClicks = 100_000
/** Twice the minute for which viewers can resume. */
const keepMs = 120_000

/** The last messages of the stream, from which viewers resume: those of two minutes, or 100,000 clicks if that is less. */
export class LiveHistory {
  readonly #entries: LiveEntry[] = []
  #clicks = 0

  /** The position after everything that has arrived; undefined if nothing has. */
  get end(): LivePosition | undefined {
    const last = this.#entries.at(-1)
    return last && { offset: last.offset, sentAtMs: last.sentAtMs, clicks: last.clicks.length }
  }

  add(entry: LiveEntry): void {
    const { end } = this
    // The stream was deleted and created anew: nobody can resume in the old one.
    if (end !== undefined && entry.offset <= end.offset) this.#remove(this.#entries.length)
    this.#entries.push(entry)
    this.#clicks += entry.clicks.length
    let outdated = 0
    let clicks = this.#clicks
    for (const { sentAtMs, clicks: its } of this.#entries) {
      if (clicks <= maxClicks && sentAtMs >= entry.sentAtMs - keepMs) break
      outdated += 1
      clicks -= its.length
    }
    // The last one stays, so that there always is an end.
    this.#remove(Math.min(outdated, this.#entries.length - 1))
  }

  /** What came after a position, oldest first; undefined if that is not known. */
  after({ offset, sentAtMs, clicks }: LivePosition): LiveSlice[] | undefined {
    const index = this.#entries.findLastIndex((entry) => entry.offset <= offset)
    const entry = this.#entries[index]
    if (entry?.offset !== offset || entry.sentAtMs !== sentAtMs || clicks > entry.clicks.length) return undefined
    const later = this.#entries.slice(index + 1)
    return [
      { entry, from: clicks, hasGap: false },
      ...later.map((each) => ({ entry: each, from: 0, hasGap: each.hasGap })),
    ]
  }

  #remove(count: number): void {
    for (const { clicks } of this.#entries.splice(0, count)) this.#clicks -= clicks.length
  }
}
