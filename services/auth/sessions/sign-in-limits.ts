import { problem } from '../errors.ts'

/** Failed attempts that one address or one account has in each window. */
const attempts = 10
const windowMs = 15 * 60_000
/** The maximum number of concurrent password hashes: each takes 19 MiB and a core. */
const maxConcurrent = 2
const maxWaiting = 20
/** The maximum number of names in memory; the oldest are removed first. */
const maxNames = 100_000

/**
 * Limits attempts to guess passwords: for each name (an address or an account) 10 failed attempts in 15 minutes, and two concurrent
 * attempts in total. The counts are in memory: each instance has its own, and a restart resets them.
 */
export class SignInLimits {
  readonly #now: () => number
  /** By name: the number of failed attempts, and the end of the window. */
  readonly #failures = new Map<string, { count: number; readonly untilMs: number }>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /**
   * Runs an attempt. If it throws, it counts as failed for these names.
   *
   * @throws {ServiceProblem} too_many_attempts, before the attempt is made
   */
  async run<Result>(names: readonly string[], attempt: () => Promise<Result>): Promise<Result> {
    for (const name of names) this.#check(name)
    // Counted before it runs, so that concurrent attempts cannot exceed the limit.
    for (const name of names) this.#count(name, 1)
    await this.#enter()
    try {
      const result = await attempt()
      for (const name of names) this.#count(name, -1)
      return result
    } finally {
      this.#leave()
    }
  }

  #check(name: string): void {
    const failures = this.#failures.get(name)
    if (failures === undefined || failures.count < attempts) return
    const waitMs = failures.untilMs - this.#now()
    if (waitMs <= 0) {
      this.#failures.delete(name)
      return
    }
    throw tooManyAttempts(Math.ceil(waitMs / 1_000))
  }

  #count(name: string, change: number): void {
    const failures = this.#failures.get(name)
    if (failures !== undefined && failures.untilMs > this.#now()) {
      failures.count += change
      return
    }
    if (change < 0) return
    this.#failures.delete(name)
    const [oldest] = this.#failures.keys()
    if (this.#failures.size >= maxNames && oldest !== undefined) this.#failures.delete(oldest)
    this.#failures.set(name, { count: change, untilMs: this.#now() + windowMs })
  }

  async #enter(): Promise<void> {
    if (this.#running >= maxConcurrent) {
      if (this.#waiting.length >= maxWaiting) throw tooManyAttempts(1)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#running += 1
  }

  #leave(): void {
    this.#running -= 1
    this.#waiting.shift()?.()
  }
}

function tooManyAttempts(retryAfterSeconds: number) {
  return problem('too_many_attempts', `Wait ${retryAfterSeconds} seconds before the next attempt.`, {
    retryAfterSeconds,
  })
}
