/** A receipt may be older than the publishing of its click: nginx stamps the start of a request, which may last a minute. */
const maxReceiptAgeMs = 70_000
/** So many messages say how far this host's clock is off. With several ingests it takes only one of them to be right. */
const maxSamples = 32

export interface ReceivedMessage {
  /** When an ingest received the newest click in it, by its own clock: milliseconds since 1970. */
  readonly receivedAtMs: number
  /** hostMs() when it was delivered. */
  readonly arrivedAtMs: number
  /** How long it can have waited in the queue at the most, in milliseconds; undefined where that is not known. */
  readonly waitedAtMostMs: number | undefined
}

/**
 * The time by the ingests' clocks, as a processor knows it: by them clicks are received, and by them `asOf` is told.
 *
 * It is this host's wall clock, corrected by what messages show: one cannot be delivered before it was received, nor, where
 * the queue was empty a moment ago, long after. A wall clock that is set forward is not believed until messages agree; one
 * that is set back is, at once. So of the two errors this makes the harmless one: it is behind.
 *
 * What no message shows stays: where this host is ahead of the ingests by less than a minute, so is this clock.
 */
export class IngestClock {
  readonly #wall: () => number
  readonly #monotonic: () => number
  /** Of the wall clock when this began, less the monotonic clock. */
  readonly #offsetMs: number
  /** How far this host is behind each message's ingest, or provably ahead of it (negative), else 0; the newest last. */
  readonly #samples: number[] = []

  constructor(wall: () => number = Date.now, monotonic: () => number = () => performance.now()) {
    this.#wall = wall
    this.#monotonic = monotonic
    this.#offsetMs = wall() - monotonic()
  }

  /** This host's time, uncorrected: milliseconds since 1970. */
  hostMs(): number {
    return Math.min(this.#wall(), this.#offsetMs + this.#monotonic())
  }

  /** Milliseconds since 1970. */
  nowMs(): number {
    return this.corrected(this.hostMs())
  }

  /** A time that hostMs() gave, by the ingests' clocks. */
  corrected(hostMs: number): number {
    return hostMs + (this.#samples.length === 0 ? 0 : Math.min(...this.#samples))
  }

  observe({ receivedAtMs, arrivedAtMs, waitedAtMostMs }: ReceivedMessage): void {
    const behindMs = receivedAtMs - arrivedAtMs
    const isAhead = waitedAtMostMs !== undefined && -behindMs > waitedAtMostMs + maxReceiptAgeMs
    this.#samples.push(behindMs > 0 || isAhead ? behindMs : 0)
    if (this.#samples.length > maxSamples) this.#samples.shift()
  }
}
