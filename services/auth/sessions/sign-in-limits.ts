import { ServiceProblem } from '@clicktally/http/service-problem.ts'
import { problem } from '../errors.ts'

/** Failed attempts that one address or one account has in each window. */
const attempts = 10
const windowMs = 15 * 60_000
/** The maximum number of concurrent password hashes: each takes 19 MiB and a core. */
const maxConcurrent = 2
const maxWaiting = 20
/** The maximum number of names in memory; the oldest are removed first. */
const maxNames = 100_000
/** The errors that say that a credential is wrong. Others say nothing about who sent it: of the database, or that too many wait. */
const failures = ['sign_in_failed', 'token_invalid']

interface Window {
  /** Failed attempts, and those that have not ended. */
  count: number
  readonly untilMs: number
}

/**
 * Limits attempts to guess passwords: for each name (an address or an account) 10 failed attempts in 15 minutes, and two concurrent
 * attempts in total. The counts are in memory: each instance has its own, and a restart resets them.
 */
export class SignInLimits {
  readonly #now: () => number
  /** By name. */
  readonly #windows = new Map<string, Window>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /**
   * Runs an attempt. If a credential is wrong, it counts as failed for these names.
   *
   * @throws {ServiceProblem} too_many_attempts, before the attempt is made; and what it throws
   */
  async run<Result>(names: readonly string[], attempt: () => Promise<Result>): Promise<Result> {
    for (const name of names) this.#check(name)
    // Counted before it runs, so that concurrent attempts cannot exceed the limit.
    const windows = names.map((name) => this.#count(name))
    try {
      const result = await this.#inTurn(attempt)
      uncount(windows)
      return result
    } catch (error) {
      if (!isFailure(error)) uncount(windows)
      throw error
    }
  }

  #check(name: string): void {
    const window = this.#windows.get(name)
    if (window === undefined || window.count < attempts) return
    const waitMs = window.untilMs - this.#now()
    if (waitMs <= 0) {
      this.#windows.delete(name)
      return
    }
    throw tooManyAttempts(Math.ceil(waitMs / 1_000))
  }

  #count(name: string): Window {
    const window = this.#windows.get(name)
    if (window !== undefined && window.untilMs > this.#now()) {
      window.count += 1
      return window
    }
    this.#windows.delete(name)
    const [oldest] = this.#windows.keys()
    if (this.#windows.size >= maxNames && oldest !== undefined) this.#windows.delete(oldest)
    const next = { count: 1, untilMs: this.#now() + windowMs }
    this.#windows.set(name, next)
    return next
  }

  async #inTurn<Result>(attempt: () => Promise<Result>): Promise<Result> {
    await this.#enter()
    try {
      return await attempt()
    } finally {
      this.#leave()
    }
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

function isFailure(error: unknown): boolean {
  return error instanceof ServiceProblem && failures.includes(error.problem.code)
}

/** The attempt did not fail. Its windows may be over, and others have begun. */
function uncount(windows: readonly Window[]): void {
  for (const window of windows) window.count -= 1
}

function tooManyAttempts(retryAfterSeconds: number) {
  return problem('too_many_attempts', `Wait ${retryAfterSeconds} seconds before the next attempt.`, {
    retryAfterSeconds,
  })
}
