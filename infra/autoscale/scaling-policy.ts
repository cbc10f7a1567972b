export interface ScalingLimits {
  readonly min: number
  /** What the database takes: more processors than that only wait for each other. */
  readonly max: number
  /** Ready messages for which one more processor is started. A message has up to 500 clicks. */
  readonly messagesPerProcessor: number
  /** How long fewer must be enough before one is stopped, in milliseconds. */
  readonly calmMs: number
}

/**
 * Decides how many processors run, by the backlog of the queue: one for each `messagesPerProcessor` messages, at once when there are more,
 * and one fewer at a time when there have been fewer for a while. So a burst is met quickly, and its end causes no restarts.
 *
 * While the backlog is unknown nothing changes.
 */
export class ScalingPolicy {
  readonly #limits: ScalingLimits
  #calmSinceMs: number | undefined

  constructor(limits: ScalingLimits) {
    this.#limits = limits
  }

  /**
   * @param current processors that run
   * @param readyMessages in the queue; undefined if that is unknown
   * @param nowMs milliseconds of the monotonic clock
   * @returns how many processors should run
   */
  decide(current: number, readyMessages: number | undefined, nowMs: number): number {
    const { min, max, messagesPerProcessor, calmMs } = this.#limits
    const bounded = Math.min(max, Math.max(min, current))
    if (readyMessages === undefined) return bounded
    const needed = Math.min(max, Math.max(min, Math.ceil(readyMessages / messagesPerProcessor)))
    if (needed >= bounded) {
      this.#calmSinceMs = undefined
      return needed
    }
    this.#calmSinceMs ??= nowMs
    if (nowMs - this.#calmSinceMs < calmMs) return bounded
    this.#calmSinceMs = nowMs
    return bounded - 1
  }
}
