/**
 * Unconfirmed messages that ingest allows itself at the most: from 32 on RabbitMQ's quorum queues hold back a channel
 * themselves (`quorum_commands_soft_limit`).
 */
export const maxGroupsInFlight = 32
/**
 * At the least: while one message is written to disk, the next is being filled and sent. With one alone, ingest and broker
 * wait for each other in turns.
 */
export const minGroupsInFlight = 2
/** While confirms take no longer than this many times the base, the window is fully open. Noise alone stays below it. */
const toleratedSlowdown = 1.5
/** Weight of the newest confirm in the moving average: as in TCP's smoothed round-trip time (RFC 6298). */
const newestShare = 1 / 8
/** One stalled disk write is no trend: a confirm counts for at most this many times the base. */
const maxSampleSlowdown = 8
/** Floor for a confirm time, in milliseconds: keeps the ratio finite. No disk write is that quick. */
const minConfirmMs = 0.01
/** The base is the minimum of one to two such periods: long enough for a lull in most traffic, in which the broker is at rest. */
const basePeriodMs = 30_000
/** Share of its time from which on a process is busy itself: confirms may be slow because of it. */
const busyFrom = 0.7

export interface GroupWindowOptions {
  /** Milliseconds by a monotonic clock. */
  readonly now: () => number
  /** Share of the time since it was last asked for which the event loop was busy, 0 to 1. */
  readonly busyShare: () => number
}

/**
 * How many messages may be unconfirmed at once, found by how long confirms take: a congestion window based on delay, as TCP
 * Vegas has one.
 *
 * While the broker confirms about as fast as it ever does, an extra message costs nobody time: the window is open, and no
 * click waits for another's confirm. When confirms get slower, the broker, this process or the machine has a backlog, and
 * every message adds to it: the window closes, down to two messages in flight, and clicks travel in fewer, fuller messages.
 *
 *     slowdown = moving average of the confirm times / base          (1: as fast as ever)
 *     size     = slowdown / (slowdown - 1.5), from 2 to 32           (1.5: 32, 2: 4, from 3 on: 2)
 *
 * The base is the least that the average was in the last 30 to 60 s. It rises only while this process has time to spare:
 * then a slower broker is simply a slower broker, and the window opens again. A base learnt under full load would take the
 * backlog for normal, which is how Vegas starves.
 *
 * No locks, no timers; size is read at each flush, and changes only in {@link confirmed}.
 */
export class GroupWindow {
  readonly #options: GroupWindowOptions
  #averageMs: number | undefined
  /** The least average of this period, and of the one before it. */
  #leastMs = Infinity
  #leastBeforeMs = Infinity
  #periodEndsAtMs: number
  #size = maxGroupsInFlight

  constructor(options: Partial<GroupWindowOptions> = {}) {
    this.#options = { now: () => performance.now(), busyShare: eventLoopShare(), ...options }
    this.#periodEndsAtMs = this.#options.now() + basePeriodMs
  }

  /** Messages that may be unconfirmed at once: a whole number from 2 to 32. */
  get size(): number {
    return this.#size
  }

  /** @param afterMs milliseconds from publishing a message to its confirm. */
  confirmed(afterMs: number): void {
    this.#renewBase()
    const baseMs = Math.min(this.#leastMs, this.#leastBeforeMs)
    const sampleMs = Math.min(Math.max(afterMs, minConfirmMs), baseMs * maxSampleSlowdown)
    this.#averageMs ??= sampleMs
    this.#averageMs += (sampleMs - this.#averageMs) * newestShare
    this.#leastMs = Math.min(this.#leastMs, this.#averageMs)
    const slowdown = this.#averageMs / Math.min(this.#leastMs, this.#leastBeforeMs)
    this.#size = sizeAt(slowdown)
  }

  #renewBase(): void {
    const nowMs = this.#options.now()
    if (nowMs < this.#periodEndsAtMs) return
    this.#periodEndsAtMs = nowMs + basePeriodMs
    if (this.#options.busyShare() >= busyFrom) return
    this.#leastBeforeMs = this.#leastMs
    this.#leastMs = Infinity
  }
}

function sizeAt(slowdown: number): number {
  if (slowdown <= toleratedSlowdown) return maxGroupsInFlight
  return Math.min(maxGroupsInFlight, Math.max(minGroupsInFlight, Math.floor(slowdown / (slowdown - toleratedSlowdown))))
}

/** How busy the event loop was between two calls. */
function eventLoopShare(): () => number {
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}
