import type { BenchSystem } from './measurement.ts'

/**
 * Whether Clicktally counted what it accepted: asked while no processor runs, it remembers what was counted before; then one
 * is started, and what came on top is held against what was accepted.
 */
export class ClickOracle {
  readonly #system: BenchSystem
  #before: { stored: number; counted: number }
  #accepted = 0
  #possible = 0

  private constructor(system: BenchSystem, before: { stored: number; counted: number }) {
    this.#system = system
    this.#before = before
  }

  /** Stops the processors, once what may be left in the queue is counted, and begins. */
  static async begin(system: BenchSystem): Promise<ClickOracle> {
    await system.setProcessors(0)
    if ((await system.queued()) > 0) {
      await system.setProcessors(1)
      await system.untilCounted()
      await system.setProcessors(0)
    }
    return new ClickOracle(system, await system.counted())
  }

  /** @param possible the most that may be counted: with those whose answer was a failure, or did not come */
  add(accepted: number, possible: number): void {
    this.#accepted += accepted
    this.#possible += possible
  }

  /** Lets a processor count all there is. Resolves with what is wrong, or with undefined; begins anew. */
  async ask(): Promise<string | undefined> {
    await this.#system.setProcessors(1)
    await this.#system.untilCounted()
    await this.#system.setProcessors(0)
    const now = await this.#system.counted()
    const stored = now.stored - this.#before.stored
    const counted = now.counted - this.#before.counted
    const [accepted, possible] = [this.#accepted, this.#possible]
    this.#before = now
    this.#accepted = 0
    this.#possible = 0
    const isRight = stored === counted && counted >= accepted && counted <= possible
    return isRight ? undefined : `${accepted} clicks were accepted, ${stored} stored and ${counted} counted`
  }
}
