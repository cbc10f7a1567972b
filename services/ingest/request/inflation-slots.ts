import { problem } from '../errors.ts'

/**
 * Lets a few inflations run at a time; the others wait in their order. An inflated body takes up to a thousand times the memory of what
 * was sent, and the key may be in it: so this bounds the memory that anyone can take, from any number of addresses.
 */
export class InflationSlots {
  readonly #waiting: (() => void)[] = []
  readonly #maxWaitingBytes: number
  #free: number
  #waitingBytes = 0

  /** @param maxWaitingBytes of the compressed bodies that wait */
  constructor(slots: number, maxWaitingBytes: number) {
    this.#free = slots
    this.#maxWaitingBytes = maxWaitingBytes
  }

  /**
   * @param bytes of the compressed body
   * @throws {ServiceProblem} inflation_busy, and the inflation never runs; and what it throws
   */
  async run<Result>(bytes: number, inflation: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free -= 1
    else await this.#wait(bytes)
    try {
      return await inflation()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }

  async #wait(bytes: number): Promise<void> {
    if (this.#waitingBytes + bytes > this.#maxWaitingBytes) {
      throw problem('inflation_busy', 'Too many compressed bodies wait. Retry with the same ids, or send uncompressed.')
    }
    this.#waitingBytes += bytes
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#waitingBytes -= bytes
  }
}
