import type { StampedChannel } from '@clicktally/broker/stamped-channel.ts'

/** Between two checks the event loop reads all that has arrived, so a longer gap is a pause of this process, not of the broker. */
const maxStepMs = 1_000

/**
 * Detects that no message is confirmed although the connection is up, as when the queue has lost its leader: heartbeats
 * continue, messages wait for ever, and on a new connection they are refused as if the queue were full.
 */
export class ConfirmWatchdog {
  readonly #limitsMs: readonly number[]
  /** How often a limit was reached since the last confirm. */
  #reached = 0
  #silentMs = 0
  #checkedAtMs = 0
  #channel: StampedChannel | undefined
  #confirmed = 0

  /**
   * @param limitsMs how long messages may be pending or refused without a confirm, in milliseconds: at first, after that limit was reached once,
   * and so on; the last one remains. After a confirm it is the first again.
   */
  constructor(limitsMs: readonly [number, ...number[]]) {
    this.#limitsMs = limitsMs
  }

  /**
   * Must be called several times a second.
   *
   * @param channel the open channel; undefined while the broker is not expected to answer.
   * @param nowMs milliseconds of the monotonic clock.
   * @returns the limit, in milliseconds, when it is reached; the time starts again then.
   */
  check(channel: StampedChannel | undefined, nowMs: number): number | undefined {
    const stepMs = Math.min(nowMs - this.#checkedAtMs, maxStepMs)
    const isSameChannel = channel !== undefined && channel === this.#channel
    const isConfirming = channel !== undefined && channel.confirmed > (isSameChannel ? this.#confirmed : 0)
    const isSilent = isSameChannel && !isConfirming && (channel.hasPending || channel.wasLastRefused)
    this.#checkedAtMs = nowMs
    this.#channel = channel
    this.#confirmed = channel?.confirmed ?? 0
    this.#silentMs = isSilent ? this.#silentMs + stepMs : 0
    if (isConfirming) this.#reached = 0
    const limitMs = this.#limitsMs[Math.min(this.#reached, this.#limitsMs.length - 1)] as number
    if (this.#silentMs <= limitMs) return undefined
    this.#silentMs = 0
    this.#reached += 1
    return limitMs
  }
}
