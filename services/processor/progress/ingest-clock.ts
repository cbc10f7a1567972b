/** A click may be published this long after it was received: nginx sets the start of the request, which may last a minute. */
const maxReceiptAgeMs = 70_000
/** Messages of one producer from which its difference to this host is estimated. */
const samplesPerProducer = 32
/** A producer counts for this long after its last message: so a correct clock still does while its ingest is restarted. */
const forgetAfterMs = 600_000
/** Bounds the memory. Beyond it, the producer that was silent longest is forgotten. */
const maxProducers = 256

export interface ReceivedMessage {
  /** The connection of an ingest that published it. */
  readonly producer: string
  /** When ingest received its newest click, by the clock of ingest. Milliseconds since 1970. */
  readonly receivedAtMs: number
  /** hostMs() when it was delivered. */
  readonly arrivedAtMs: number
  /** The longest time that it can have waited in the queue, in milliseconds; undefined if unknown. */
  readonly waitedAtMostMs: number | undefined
}

interface Producer {
  /** For each message: how far this host is behind its ingest, or provably ahead of it (negative), else 0. The newest is last. */
  readonly samples: number[]
  /** On the monotonic clock. */
  heardAtMs: number
}

/**
 * Estimates the time of the ingests' clocks, which `receivedAtMs` and therefore `asOf` refer to.
 *
 * It is this host's wall clock, corrected by messages: a message cannot be delivered before it was received nor, if the queue was
 * empty a moment ago, long after. A step forward of the wall clock only counts once messages confirm it; a step back counts at
 * once. Of several ingests, the one whose clock is furthest behind decides, so one correct clock is enough. So if the estimate is
 * wrong it is usually behind, which is harmless.
 *
 * An error that no message reveals remains: if this host is ahead of the ingests by less than a minute, so is this clock. And if
 * every ingest that was heard in the last 10 minutes is ahead, so is this clock.
 */
export class IngestClock {
  readonly #wall: () => number
  readonly #monotonic: () => number
  /** Wall clock minus monotonic clock, at the start. */
  readonly #offsetMs: number
  /** In the order in which they were last heard. */
  readonly #producers = new Map<string, Producer>()
  #correctionMs = 0

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

  /** Converts a time from hostMs() to the ingests' clocks. */
  corrected(hostMs: number): number {
    return hostMs + this.#correctionMs
  }

  observe({ producer: name, receivedAtMs, arrivedAtMs, waitedAtMostMs }: ReceivedMessage): void {
    const nowMs = this.#monotonic()
    const behindMs = receivedAtMs - arrivedAtMs
    const isAhead = waitedAtMostMs !== undefined && -behindMs > waitedAtMostMs + maxReceiptAgeMs
    const producer = this.#producers.get(name) ?? { samples: [], heardAtMs: nowMs }
    producer.samples.push(behindMs > 0 || isAhead ? behindMs : 0)
    if (producer.samples.length > samplesPerProducer) producer.samples.shift()
    producer.heardAtMs = nowMs
    this.#producers.delete(name)
    this.#producers.set(name, producer)
    let correctionMs = Infinity
    for (const [other, { samples, heardAtMs }] of this.#producers) {
      if (nowMs - heardAtMs > forgetAfterMs || this.#producers.size > maxProducers) this.#producers.delete(other)
      else correctionMs = Math.min(correctionMs, ...samples)
    }
    this.#correctionMs = correctionMs
  }
}
