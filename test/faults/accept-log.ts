import type { SentClick } from '@clicktally/e2e/click-load.ts'

interface AcceptedClick {
  readonly target: string
  readonly atMs: number
}

/**
 * When each click of a row was answered 202: milliseconds since 1970 by this machine's clock, read when the answer arrived.
 * The click was accepted no later than that, so whoever claims to know of everything up to a later moment owes it.
 */
export class AcceptLog {
  readonly #clicks = new Map<string, AcceptedClick>()
  /** Of each target, ascending. */
  readonly #timesOf = new Map<string, number[]>()
  readonly #times: number[] = []

  /** A click that was accepted before stays accepted from then on. */
  accept(clicks: readonly SentClick[], atMs: number): void {
    // A clock that is set back must not unsort the times. The later time owes less: it cannot make an honest answer a lie.
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

  /** Targets with accepted clicks, in the order in which each got its first. */
  get targets(): IterableIterator<string> {
    return this.#timesOf.keys()
  }

  /** Clicks accepted up to now on one target. */
  acceptedOn(target: string): number {
    return this.#timesOf.get(target)?.length ?? 0
  }

  /** Clicks accepted before a moment: on these targets, or on all of them. */
  acceptedBefore(momentMs: number, targets?: readonly string[]): number {
    if (targets === undefined) return countBefore(this.#times, momentMs)
    return targets.reduce((sum, target) => sum + countBefore(this.#timesOf.get(target) ?? [], momentMs), 0)
  }

  /** The log without some clicks: those that rightly are in no count. */
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
