import type { StampedChannel } from './stamped-channel.ts'

/** Between two looks the event loop has read what had arrived, so a longer pause is the process's own and not the broker's. */
const maxStepMs = 1_000

/**
 * Notices that nothing is confirmed any more while the connection stays up, as when the queue has lost its leader: the
 * heartbeats go on, messages wait for ever, and on a new connection they are refused as if the queue were full.
 */
export class ConfirmWatch {
  readonly #maxSilentMs: number
  #silentMs = 0
  #lookedAtMs = 0
  #channel: StampedChannel | undefined
  #confirmed = 0

  /** @param maxSilentMs milliseconds for which messages may wait or be refused without one confirm. */
  constructor(maxSilentMs: number) {
    this.#maxSilentMs = maxSilentMs
  }

  /**
   * To be called several times a second, with the open channel, or with undefined while the broker is not expected to answer.
   *
   * @param nowMs of the monotonic clock.
   * @returns true when the limit is passed; the time begins again then.
   */
  look(channel: StampedChannel | undefined, nowMs: number): boolean {
    const stepMs = Math.min(nowMs - this.#lookedAtMs, maxStepMs)
    const isSilent =
      channel !== undefined && channel === this.#channel && channel.confirmed === this.#confirmed && channel.isUnproven
    this.#lookedAtMs = nowMs
    this.#channel = channel
    this.#confirmed = channel?.confirmed ?? 0
    this.#silentMs = isSilent ? this.#silentMs + stepMs : 0
    if (this.#silentMs <= this.#maxSilentMs) return false
    this.#silentMs = 0
    return true
  }
}
