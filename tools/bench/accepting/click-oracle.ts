import type { BenchSystem } from '../system/bench-system.ts'
import type { CountedClicks } from '../system/databases.ts'

/**
 * Checks that Clicktally counted what it accepted. While clicks are sent, no processor has to run; a check starts one, and
 * compares what it counted with what was accepted.
 */
export class ClickOracle {
  readonly #system: BenchSystem
  #before: CountedClicks
  #accepted = 0
  #possible = 0

  private constructor(system: BenchSystem, before: CountedClicks) {
    this.#system = system
    this.#before = before
  }

  /** Starts after the queue is empty. Stops the processors. */
  static async start(system: BenchSystem): Promise<ClickOracle> {
    await system.setProcessors(0)
    if ((await system.queued()) > 0) await countAll(system)
    return new ClickOracle(system, await system.counted())
  }

  /** @param possible maximum number of clicks that may be counted, including those whose response failed */
  add(accepted: number, possible: number): void {
    this.#accepted += accepted
    this.#possible += possible
  }

  /** Lets a processor count everything. Resolves with what is wrong, if anything, and starts anew. */
  async check(): Promise<string | undefined> {
    await countAll(this.#system)
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

async function countAll(system: BenchSystem): Promise<void> {
  await system.setProcessors(1)
  await system.untilCounted()
  await system.setProcessors(0)
}
