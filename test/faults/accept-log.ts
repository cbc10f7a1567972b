import type { SentClick } from '@clicktally/load/click-load.ts'

interface AcceptedClick {
  readonly target: string
  readonly atMs: number
}

/**
 * The time when each click of a row was answered with 202: milliseconds since 1970 by this machine's clock. The click was accepted
 * no later than that, so an answer with a later `asOf` must contain it.
 */
export class AcceptLog {
  readonly #clicks = new Map<string, AcceptedClick>()
  /** By target, ascending. */
  readonly #timesOf = new Map<string, number[]>()
  readonly #times: number[] = []

  /** Ignores clicks that are in the log already. */
  accept(clicks: readonly SentClick[], atMs: number): void {
    // Keeps the times sorted if the clock is set back. A later time cannot make a correct answer look wrong.
    const orderedMs = Math.max(atMs, this.#times.at(-1) ?? 0)
    for (const { id, target } of clicks) {
      if (this.#clicks.has(id)) continue
      this.#clicks.set(id, { target, atMs: orderedMs })
      this.#times.push(orderedMs)
      const times = this.#timesOf.get(target)
      if (times === undefined) this.#timesOf.set(target, [orderedMs])
      else times.push(orderedMs)
    }
  }

  /** Targets with accepted clicks, in the order of their first accepted click. */
  get targets(): IterableIterator<string> {
    return this.#timesOf.keys()
  }

  /** Accepted clicks on a target. */
  acceptedOn(target: string): number {
    return this.#timesOf.get(target)?.length ?? 0
  }

  /** Clicks accepted before a time, on the given targets or on all. */
  acceptedBefore(momentMs: number, targets?: readonly string[]): number {
    if (targets === undefined) return countBefore(this.#times, momentMs)
    return targets.reduce((sum, target) => sum + countBefore(this.#timesOf.get(target) ?? [], momentMs), 0)
  }

  /** A copy of the log without the given clicks. */
  without(ids: Iterable<string>): AcceptLog {
    const excluded = new Set(ids)
    const rest = new AcceptLog()
    for (const [id, { target, atMs }] of this.#clicks) if (!excluded.has(id)) rest.accept([{ id, target }], atMs)
    return rest
  }
}

function countBefore(times: readonly number[], momentMs: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((times[middle] ?? 0) < momentMs) low = middle + 1
    else high = middle
  }
  return low
}
