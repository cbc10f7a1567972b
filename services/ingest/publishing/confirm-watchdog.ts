import type { StampedChannel } from '@clicktally/broker/stamped-channel.ts'

/** Between two checks the event loop reads all that has arrived, so a longer gap is a pause of this process, not of the broker. */
const maxStepMs = 1_000

/**
 * Detects that no message is confirmed although the connection is up, as when the queue has lost its leader: heartbeats
 * continue, messages wait for ever, and on a new connection they are refused as if the queue were full.
 */
export class ConfirmWatchdog {
  readonly #firstLimitMs: number
  readonly #maxLimitMs: number
  readonly #hosts: number
  /** How often the limit was reached since the last confirm. */
  #reached = 0
  #silentMs = 0
  #checkedAtMs = 0
  #channel: StampedChannel | undefined
  #confirmed = 0

  /**
   * How long messages may be pending or refused without a confirm, in milliseconds: `firstLimitMs`, once for each host. Then it doubles each
   * time, up to `maxLimitMs`, because a broker that is only slow needs more time. After a confirm it is `firstLimitMs` again.
   */
  constructor({ firstLimitMs, maxLimitMs, hosts }: { firstLimitMs: number; maxLimitMs: number; hosts: number }) {
    this.#firstLimitMs = firstLimitMs
    this.#maxLimitMs = maxLimitMs
    this.#hosts = hosts
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
    const doublings = Math.max(0, this.#reached - this.#hosts + 1)
    const limitMs = Math.min(this.#maxLimitMs, this.#firstLimitMs * 2 ** doublings)
    if (this.#silentMs <= limitMs) return undefined
    this.#silentMs = 0
    this.#reached += 1
    return limitMs
  }
}
