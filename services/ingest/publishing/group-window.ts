/**
 * The maximum of unconfirmed messages. From 32 on, RabbitMQ's quorum queues throttle the channel themselves
 * (`quorum_commands_soft_limit`).
 */
export const maxGroupsInFlight = 32
/**
 * The minimum: while one message is written to disk, the next is filled and sent. With only one, ingest and broker would wait
 * for each other in turns.
 */
export const minGroupsInFlight = 2
/** The window is fully open while confirms take at most this many times the base. Noise alone stays below it. */
const toleratedSlowdown = 1.5
/** Weight of the newest confirm in the moving average: as in TCP's smoothed round-trip time (RFC 6298). */
const newestWeight = 1 / 8
/** A confirm counts for at most this many times the base: one stalled disk write is not a trend. */
const maxSampleSlowdown = 8
/** Lower bound of a confirm time, in milliseconds, which keeps the ratio finite. No disk write is that fast. */
const minConfirmMs = 0.01
/** The base is the minimum over one to two such periods: long enough that most traffic has a lull in which the broker is idle. */
const basePeriodMs = 30_000
/** From this event loop utilization on, confirms may be slow because of this process. */
const busyUtilization = 0.7

export interface GroupWindowOptions {
  /** The monotonic clock, in milliseconds. */
  readonly now: () => number
  /** The event loop utilization since the last call, 0 to 1. */
  readonly utilization: () => number
}

/**
 * A congestion window for unconfirmed messages, based on delay like TCP Vegas.
 *
 * While the broker confirms about as fast as it can, an extra message delays nothing: the window is open, and no click waits
 * for another's confirm. When confirms get slower, the broker, this process or the machine has a backlog, and every message
 * adds to it: the window closes, down to two messages in flight, and clicks are sent in fewer, larger messages.
 *
 *     slowdown = moving average of the confirm times / base          (1: as fast as ever)
 *     size     = slowdown / (slowdown - 1.5), from 2 to 32           (1.5: 32, 2: 4, from 3 on: 2)
 *
 * The base is the minimum of the average over the last 30 to 60 s. It rises only while this process is not busy: the broker
 * itself has become slower then, and the window opens again. A base measured under full load would treat the backlog as
 * normal, which is how Vegas starves.
 *
 * The size changes only in {@link confirmed}.
 */
export class GroupWindow {
  readonly #options: GroupWindowOptions
  #averageMs: number | undefined
  /** The minimum of the average in this period, and in the previous one. */
  #minMs = Infinity
  #previousMinMs = Infinity
  #periodEndsAtMs: number
  #size = maxGroupsInFlight

  constructor(options: Partial<GroupWindowOptions> = {}) {
    this.#options = { now: () => performance.now(), utilization: utilizationMeter(), ...options }
    this.#periodEndsAtMs = this.#options.now() + basePeriodMs
  }

  /** How many messages may be unconfirmed at once, an integer from 2 to 32. */
  get size(): number {
    return this.#size
  }

  /** @param confirmMs milliseconds from publishing a message to its confirm. */
  confirmed(confirmMs: number): void {
    this.#renewBase()
    const baseMs = Math.min(this.#minMs, this.#previousMinMs)
    const sampleMs = Math.min(Math.max(confirmMs, minConfirmMs), baseMs * maxSampleSlowdown)
    this.#averageMs ??= sampleMs
    this.#averageMs += (sampleMs - this.#averageMs) * newestWeight
    this.#minMs = Math.min(this.#minMs, this.#averageMs)
    const slowdown = this.#averageMs / Math.min(this.#minMs, this.#previousMinMs)
    this.#size = sizeAt(slowdown)
  }

  #renewBase(): void {
    const nowMs = this.#options.now()
    if (nowMs < this.#periodEndsAtMs) return
    this.#periodEndsAtMs = nowMs + basePeriodMs
    if (this.#options.utilization() >= busyUtilization) return
    this.#previousMinMs = this.#minMs
    this.#minMs = Infinity
  }
}

function sizeAt(slowdown: number): number {
  if (slowdown <= toleratedSlowdown) return maxGroupsInFlight
  return Math.min(maxGroupsInFlight, Math.max(minGroupsInFlight, Math.floor(slowdown / (slowdown - toleratedSlowdown))))
}

/** Measures the event loop utilization between two calls. */
function utilizationMeter(): () => number {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}
