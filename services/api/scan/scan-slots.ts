import { problem } from '../errors.ts'

/** Waiting scans of a project. A dashboard asks about ten questions at once. */
const maxWaiting = 50
/** nginx gives up after 8 s: nobody would see the answer of a scan that begins much later. */
const maxWaitMs = 7_000

/**
 * Lets a few scans run at a time. The others wait, those of a project in order; free slots go to the projects in turn, so that a
 * project with many questions does not delay the others.
 */
export class ScanSlots {
  /** By project, each calls when its scan may run. The first project gets the next slot. Those for which none waits are absent. */
  readonly #waiting = new Map<number, Set<() => void>>()
  #free: number

  constructor(slots: number) {
    this.#free = slots
  }

  /** @throws {ServiceProblem} questions_busy, and the scan never runs; and what the scan throws */
  async run<Result>(projectId: number, scan: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free -= 1
    else await this.#wait(projectId)
    try {
      return await scan()
    } finally {
      this.#passOn()
    }
  }

  async #wait(projectId: number): Promise<void> {
    const waiting = this.#waiting.get(projectId) ?? new Set()
    if (waiting.size >= maxWaiting)
      throw problem('questions_busy', `${maxWaiting} questions about this project wait already. Retry later.`)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    waiting.add(resolve)
    this.#waiting.set(projectId, waiting)
    const timer = setTimeout(() => {
      waiting.delete(resolve)
      if (waiting.size === 0) this.#waiting.delete(projectId)
      reject(problem('questions_busy', 'Other questions took too long. Retry later.'))
    }, maxWaitMs)
    try {
      await promise
    } finally {
      clearTimeout(timer)
    }
  }

  #passOn(): void {
    for (const [projectId, waiting] of this.#waiting) {
      const [next] = waiting
      if (next === undefined) continue
      waiting.delete(next)
      // Moved to the end.
      this.#waiting.delete(projectId)
      if (waiting.size > 0) this.#waiting.set(projectId, waiting)
      next()
      return
    }
    this.#free += 1
  }
}
