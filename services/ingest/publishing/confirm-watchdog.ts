import type { StampedChannel } from '@clicktally/broker/stamped-channel.ts'

/** Between two checks the event loop reads all that has arrived, so a longer gap is a pause of this process, not of the broker. */
const maxStepMs = 1_000

/**
 * Detects that no message is confirmed although the connection is up, as when the queue has lost its leader: heartbeats
 * continue, messages wait for ever, and on a new connection they are refused as if the queue were full.
 */
export class ConfirmWatchdog {
  readonly #timeoutMs: number
  #silentMs = 0
  #checkedAtMs = 0
  #channel: StampedChannel | undefined
  #confirmed = 0

  /** @param timeoutMs how long messages may be pending or refused without a confirm, in milliseconds. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /**
   * Must be called several times a second.
   *
   * @param channel the open channel; undefined while the broker is not expected to answer.
   * @param nowMs milliseconds of the monotonic clock.
   * @returns true when the timeout has passed; it starts again then.
   */
  check(channel: StampedChannel | undefined, nowMs: number): boolean {
    const stepMs = Math.min(nowMs - this.#checkedAtMs, maxStepMs)
    const isSilent =
      channel !== undefined &&
      channel === this.#channel &&
      channel.confirmed === this.#confirmed &&
      (channel.hasPending || channel.wasLastRefused)
    this.#checkedAtMs = nowMs
    this.#channel = channel
    this.#confirmed = channel?.confirmed ?? 0
    this.#silentMs = isSilent ? this.#silentMs + stepMs : 0
    if (this.#silentMs <= this.#timeoutMs) return false
    this.#silentMs = 0
    return true
  }
}
