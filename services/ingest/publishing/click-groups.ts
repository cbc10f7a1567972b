import type { Click } from '@clicktally/event/click.ts'
import { encodeClick, maxClicksPerMessage } from '@clicktally/message/clicks-message.ts'
import { completeClick, type RequestFields } from '@clicktally/message/short-line.ts'
import type { MessageSpan, RequestSpan } from '@clicktally/tracing/tracing.ts'
import { GroupWindow } from './group-window.ts'
import { publishFailure } from './publish-failure.ts'

export interface ClickGroupsOptions {
  /** The deadline for a confirm, in milliseconds from add(). */
  readonly confirmWithinMs: number
  readonly maxHeldClicks: number
  readonly maxHeldBytes: number
  /** Publishes a group. Its outcome must be passed to confirmed() or failed(), or to failAll() if it is unknown. */
  readonly send: (group: ClickGroup) => void
  /** The monotonic clock, in milliseconds. */
  readonly now?: () => number
  /** How many groups may be in flight. Default: a GroupWindow. */
  readonly window?: Pick<GroupWindow, 'size' | 'confirmed'>
}

/** The clicks of one or more requests, sent in one message. */
export interface ClickGroup {
  readonly members: readonly HeldClicks[]
  readonly clicks: number
  readonly sentAtMs: number
  /** Ends with the group. Undefined if the message is not traced. */
  span?: MessageSpan | undefined
}

/** The clicks of one request, until they are answered. */
interface HeldClicks {
  /** One a line: the first encoded by encodeClick(), others perhaps by encodeShort(). Empty once they are in a message. */
  lines: string
  readonly clicks: number
  readonly bytes: number
  readonly sinceMs: number
  readonly span: RequestSpan | undefined
  settled: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * The size limit of a message: one frame of RabbitMQ's default size of 128 KiB, less the frame's overhead. A larger message
 * costs the broker more, and a processor's prefetch counts messages, so this limit also bounds the memory of a prefetch.
 */
export const maxGroupBytes = 128 * 1024 - 8

/**
 * Groups waiting clicks into messages, tracks those in flight, and enforces deadlines.
 *
 * Group commit, as in a database: clicks that arrive while the window of unconfirmed messages is full are sent together in
 * the next message. While the window has room, clicks are sent at once.
 *
 * A request's clicks: waiting → in a group in flight → settled (confirmed, or failed with a problem). Past its deadline a
 * request fails in either state. If its group is in flight, its clicks may still be counted, so the client retries with the
 * same ids. Nothing is sent twice from here. Held clicks are bounded in number and in bytes.
 */
export class ClickGroups {
  readonly #options: ClickGroupsOptions
  readonly #now: () => number
  readonly #window: Pick<GroupWindow, 'size' | 'confirmed'>
  /** In order of arrival. */
  #waiting: HeldClicks[] = []
  #waitingClicks = 0
  /** Not a Set, whose old tables retain their entries: see packages/http/requests-in-flight.ts. */
  #inFlight: ClickGroup[] = []
  #heldClicks = 0
  #heldBytes = 0

  constructor(options: ClickGroupsOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#window = options.window ?? new GroupWindow({ now: this.#now })
  }

  get heldClicks(): number {
    return this.#heldClicks
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * Adds the clicks of a request, all or none. They wait for a flush(); the promise settles with them. A request that is larger
   * than a message is split, and its promise resolves when all parts are confirmed.
   *
   * @param lines the first encoded by encodeClick(), others perhaps by encodeShort(); none may be larger than a message
   * @param span of the request, if it is traced
   * @throws {ServiceProblem} with status 503. After `overloaded` none of the clicks is counted; otherwise some or all may be.
   */
  add(lines: string, clicks: number, span?: RequestSpan): Promise<void> {
    const { maxHeldClicks, maxHeldBytes } = this.#options
    const bytes = Buffer.byteLength(lines)
    if (this.#heldClicks + clicks > maxHeldClicks || this.#heldBytes + bytes > maxHeldBytes) {
      return Promise.reject(publishFailure('overloaded'))
    }
    if (bytes <= maxGroupBytes) return this.#hold(lines, clicks, bytes, span)
    const parts = splitLines(lines).map((part) => this.#hold(part.join('\n'), part.length, bytesOf(part), span))
    return Promise.all(parts).then(() => {})
  }

  #hold(lines: string, clicks: number, bytes: number, span: RequestSpan | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines, clicks, bytes, sinceMs: this.#now(), span, settled: false, resolve, reject })
      this.#waitingClicks += clicks
      this.#heldClicks += clicks
      this.#heldBytes += bytes
    })
  }

  /** Sends as many groups as the window allows. */
  flush(): void {
    while (this.#waiting.length > 0 && this.#inFlight.length < this.#window.size) {
      const group = this.#nextGroup()
      this.#inFlight.push(group)
      this.#options.send(group)
    }
  }

  confirmed(group: ClickGroup): void {
    if (!this.#removeInFlight(group)) return
    this.#window.confirmed(this.#now() - group.sentAtMs)
    group.span?.end()
    this.#settle(group.members)
    this.flush()
  }

  failed(group: ClickGroup, error: Error): void {
    if (!this.#removeInFlight(group)) return
    group.span?.end(error)
    this.#settle(group.members, error)
    this.flush()
  }

  /** Fails all clicks, waiting and in flight: the connection is lost, and no outcome will arrive. */
  failAll(error: Error): void {
    const groups = this.#inFlight
    this.#inFlight = []
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingClicks = 0
    for (const group of groups) {
      group.span?.end(error)
      this.#settle(group.members, error)
    }
    this.#settle(waiting, error)
  }

  /** Fails the clicks that are past their deadline. Must be called regularly. */
  expire(): void {
    const before = this.#now() - this.#options.confirmWithinMs
    const late: HeldClicks[] = []
    for (const group of this.#inFlight) {
      for (const member of group.members) if (member.sinceMs < before && !member.settled) late.push(member)
    }
    if ((this.#waiting[0]?.sinceMs ?? Infinity) < before) {
      // Removed before they are sent: they are answered 503.
      const inTime = this.#waiting.findIndex(({ sinceMs }) => sinceMs >= before)
      const expired = this.#waiting.splice(0, inTime === -1 ? this.#waiting.length : inTime)
      for (const { clicks } of expired) this.#waitingClicks -= clicks
      late.push(...expired)
    }
    if (late.length > 0) this.#settle(late, publishFailure('confirm_timeout'))
  }

  /** @returns whether it was in flight. */
  #removeInFlight(group: ClickGroup): boolean {
    const index = this.#inFlight.indexOf(group)
    if (index !== -1) this.#inFlight.splice(index, 1)
    return index !== -1
  }

  /** Removes the oldest waiting requests that fit into one message, at least one. */
  #nextGroup(): ClickGroup {
    let clicks = 0
    let bytes = 0
    let count = 0
    for (const waiting of this.#waiting) {
      // With a line break between two requests.
      const addedBytes = waiting.bytes + (count > 0 ? 1 : 0)
      if (count > 0 && (clicks + waiting.clicks > maxClicksPerMessage || bytes + addedBytes > maxGroupBytes)) break
      clicks += waiting.clicks
      bytes += addedBytes
      count += 1
    }
    const members = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    this.#waitingClicks -= clicks
    return { members, clicks, sentAtMs: this.#now() }
  }

  #settle(members: readonly HeldClicks[], error?: Error): void {
    for (const member of members) {
      if (member.settled) continue
      member.settled = true
      this.#heldClicks -= member.clicks
      this.#heldBytes -= member.bytes
      if (error === undefined) member.resolve()
      else member.reject(error)
    }
  }
}

/** Splits the lines of a request into parts that each fit into one message and begin with a complete line. */
function splitLines(lines: string): string[][] {
  const parts: string[][] = []
  const [first = '', ...others] = lines.split('\n')
  const request = JSON.parse(first) as RequestFields
  let part = [first]
  let bytes = Buffer.byteLength(first)
  for (const line of others) {
    const lineBytes = 1 + Buffer.byteLength(line)
    if (bytes + lineBytes <= maxGroupBytes) {
      part.push(line)
      bytes += lineBytes
    } else {
      parts.push(part)
      const complete = encodeClick(completeClick(JSON.parse(line) as Click, request))
      part = [complete]
      bytes = Buffer.byteLength(complete)
    }
  }
  return [...parts, part]
}

/** The size of the lines when joined by line breaks. */
function bytesOf(lines: readonly string[]): number {
  return lines.reduce((bytes, line) => bytes + Buffer.byteLength(line), lines.length - 1)
}
