import type { StampedChannel } from './stamped-channel.ts'

/**
 * Notices that the broker has stopped answering while its connection stays up, as when the queue has lost its leader: the
 * heartbeats go on, and no message is ever confirmed.
 *
 * Time is counted in ticks and not read from a clock: a process that was suspended, or whose event loop was busy, must not
 * take its own pause for the broker's.
 */
export class ConfirmWatch {
  readonly #maxSilentTicks: number
  #silentTicks = 0
  #channel: StampedChannel | undefined
  #outcomes = 0

  /** @param maxSilentTicks how many ticks in a row messages may wait without one outcome, at least 1. */
  constructor(maxSilentTicks: number) {
    this.#maxSilentTicks = maxSilentTicks
  }

  /**
   * To be called at a steady pace, with the open channel, or with undefined while the broker is not expected to answer.
   *
   * @returns true when the limit is passed; the count begins again then.
   */
  tick(channel: StampedChannel | undefined): boolean {
    const isSilent =
      channel !== undefined && channel === this.#channel && channel.outcomes === this.#outcomes && channel.pending > 0
    this.#channel = channel
    this.#outcomes = channel?.outcomes ?? 0
    this.#silentTicks = isSilent ? this.#silentTicks + 1 : 0
    if (this.#silentTicks < this.#maxSilentTicks) return false
    this.#silentTicks = 0
    return true
  }
}
