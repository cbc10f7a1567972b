import { maxClicksPerMessage } from '@clicktally/contract/clicks-message.ts'
import { GroupWindow } from './group-window.ts'
import { publishFailure } from './publish-failure.ts'

export interface ClickGroupsOptions {
  /** Milliseconds that clicks may be held for. */
  readonly confirmWithinMs: number
  readonly maxHeldClicks: number
  readonly maxHeldBytes: number
  /** Publishes a group. What becomes of it is told to confirmed() or failed(), or to failAll() when nobody can know. */
  readonly send: (group: ClickGroup) => void
  /** Milliseconds by a monotonic clock. */
  readonly now?: () => number
  /** How many groups may be in flight. Default: as many as the broker's confirm times allow. */
  readonly window?: Pick<GroupWindow, 'size' | 'confirmed'>
}

/** The clicks of some requests, in one message. */
export interface ClickGroup {
  readonly members: readonly HeldClicks[]
  readonly clicks: number
  readonly sentAtMs: number
}

/** The clicks of one request, until they are answered. */
interface HeldClicks {
  /** As the message contract writes them, one a line; empty once they are in a message. */
  lines: string
  readonly clicks: number
  readonly bytes: number
  readonly sinceMs: number
  settled: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * The most that a message carries: one frame of RabbitMQ's default of 128 KiB, less what a frame adds. A larger message costs the
 * broker more; and a processor's prefetch counts messages, so what bounds a message bounds the memory that a prefetch takes.
 */
export const maxGroupBytes = 128 * 1024 - 8

/**
 * Which clicks wait, which are in flight together, and which have taken too long.
 *
 * Group commit, as in a database: what arrives while the window of unconfirmed messages is full travels together in the
 * next one. While the window is open, clicks leave at once.
 *
 * A request's clicks: waiting → in a group in flight → settled (confirmed, or failed with a problem). Past its deadline a
 * request is failed where it stands; if its group is in flight, its clicks may be counted all the same, hence the client's
 * retry with the same ids. Nothing is sent again by us. What is held is bounded in clicks and in bytes.
 */
export class ClickGroups {
  readonly #options: ClickGroupsOptions
  readonly #now: () => number
  readonly #window: Pick<GroupWindow, 'size' | 'confirmed'>
  /** In the order in which they came. */
  #waiting: HeldClicks[] = []
  #waitingClicks = 0
  /** No Set, whose old tables would keep what was in them: see packages/http/requests-under-way.ts. */
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
   * Takes the clicks of a request, all or none of them. They wait for a flush(); the promise settles with them. A request that
   * is larger than a message becomes several, and its promise resolves when all are confirmed.
   *
   * @param lines no line may be larger than a message
   * @throws {ServiceProblem} with status 503. After `overloaded` none of the clicks is counted; else some or all may be.
   */
  add(lines: string, clicks: number): Promise<void> {
    const { maxHeldClicks, maxHeldBytes } = this.#options
    const bytes = Buffer.byteLength(lines)
    if (this.#heldClicks + clicks > maxHeldClicks || this.#heldBytes + bytes > maxHeldBytes) {
      return Promise.reject(publishFailure('overloaded'))
    }
    if (bytes <= maxGroupBytes) return this.#hold(lines, clicks, bytes)
    const parts = splitLines(lines).map((part) => this.#hold(part.join('\n'), part.length, bytesOf(part)))
    return Promise.all(parts).then(() => {})
  }

  #hold(lines: string, clicks: number, bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines, clicks, bytes, sinceMs: this.#now(), settled: false, resolve, reject })
      this.#waitingClicks += clicks
      this.#heldClicks += clicks
      this.#heldBytes += bytes
    })
  }

  /** Sends as many groups as the window allows. */
  flush(): void {
    while (this.#waiting.length > 0 && this.#inFlight.length < this.#window.size) {
      const group = this.#takeGroup()
      this.#inFlight.push(group)
      this.#options.send(group)
    }
  }

  confirmed(group: ClickGroup): void {
    if (!this.#removeInFlight(group)) return
    this.#window.confirmed(this.#now() - group.sentAtMs)
    this.#settle(group.members)
    this.flush()
  }

  failed(group: ClickGroup, error: Error): void {
    if (!this.#removeInFlight(group)) return
    this.#settle(group.members, error)
    this.flush()
  }

  /** Whatever waits and whatever is in flight: there is nobody left to send it, or to tell what became of it. */
  failAll(error: Error): void {
    const groups = this.#inFlight
    this.#inFlight = []
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingClicks = 0
    for (const group of groups) this.#settle(group.members, error)
    this.#settle(waiting, error)
  }

  /** Fails what is past its deadline; to be called every so often. */
  expire(): void {
    const before = this.#now() - this.#options.confirmWithinMs
    const late: HeldClicks[] = []
    for (const group of this.#inFlight) {
      for (const member of group.members) if (member.sinceMs < before && !member.settled) late.push(member)
    }
    if ((this.#waiting[0]?.sinceMs ?? Infinity) < before) {
      // Not yet sent, so taken out: what has been answered 503 need not be.
      const inTime = this.#waiting.findIndex(({ sinceMs }) => sinceMs >= before)
      const expired = this.#waiting.splice(0, inTime === -1 ? this.#waiting.length : inTime)
      for (const { clicks } of expired) this.#waitingClicks -= clicks
      late.push(...expired)
    }
    if (late.length > 0) this.#settle(late, publishFailure('confirm_timeout'))
  }

  /** Returns whether it was in flight. */
  #removeInFlight(group: ClickGroup): boolean {
    const place = this.#inFlight.indexOf(group)
    if (place !== -1) this.#inFlight.splice(place, 1)
    return place !== -1
  }

  /** The oldest requests that fit into one message; at least one. */
  #takeGroup(): ClickGroup {
    let clicks = 0
    let bytes = 0
    let count = 0
    for (const waiting of this.#waiting) {
      // A line break between two requests.
      const bytesMore = waiting.bytes + (count > 0 ? 1 : 0)
      if (count > 0 && (clicks + waiting.clicks > maxClicksPerMessage || bytes + bytesMore > maxGroupBytes)) break
      clicks += waiting.clicks
      bytes += bytesMore
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

/** The lines in runs that each fit into one message. */
function splitLines(lines: string): string[][] {
  const parts: string[][] = []
  let bytes = Infinity
  for (const line of lines.split('\n')) {
    const lineBytes = Buffer.byteLength(line) + 1
    if (bytes + lineBytes > maxGroupBytes) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)?.push(line)
    bytes += lineBytes
  }
  return parts
}

/** With a line break between two. */
function bytesOf(lines: readonly string[]): number {
  return lines.reduce((bytes, line) => bytes + Buffer.byteLength(line), lines.length - 1)
}
