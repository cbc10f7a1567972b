/** For what the broker does by itself when it has dropped a connection: requeue, and dead-letter what is over the limit. */
const settleMs = 2_000
/** The first of them may have been under way when the queues were looked at. */
const reportsOfOthers = 2

const queues = ['clicks', 'suspect', 'dead'] as const

/** What one look at the queues has shown. */
export interface Sight {
  /** When the looking began, on the monotonic clock, in milliseconds. */
  readonly begunAtMs: number
  /** Fresh deliveries from the queue `clicks` so far; undefined where the look did not come through. */
  readonly freshDeliveries: number | undefined
  /** Whether these were proven to be empty. */
  readonly isClicksEmpty: boolean
  readonly isSuspectEmpty: boolean
  readonly isDeadEmpty: boolean
}

/** The other processes' rows: how often each has reported. */
export type Reports = ReadonlyMap<string, number>

/**
 * Messages that somebody held, who is gone: this process, on a connection that was lost, or another one, whose row this
 * process has taken over. Until they are accounted for, this process's row stays where theirs was.
 *
 * `dropping`: the broker may still hold the messages for the lost connections → `settling`: it has dropped them, and now
 * requeues → `looking`: until this process has seen what lies behind those messages in the queue `clicks` (a fresh delivery,
 * or that it is empty), and that the two other queues are empty: then each message was delivered to somebody since →
 * `reporting`: until every other process has reported twice since, so that whoever has them says so in a row of its own →
 * `done`. A process that disappears before it has reported twice may have had them: back to `settling`.
 *
 * While nobody can read the queue, or all wait with a full prefetch, it stays open, and `asOf` where it is.
 */
export class Handover {
  /** Milliseconds since 1970; undefined until the row that it is to be read from was read. */
  countedThroughMs: number | undefined
  readonly #connections: Set<string>
  #state: 'dropping' | 'settling' | 'looking' | 'reporting' | 'done' = 'dropping'
  #droppedAtMs = 0
  #freshAtFirstLook: number | undefined
  readonly #unseen = new Set<(typeof queues)[number]>()
  /** Of the processes that have not reported twice yet: the count at which they have. */
  #missing: Map<string, number> | undefined

  /** @param connections markers of connections that the broker may not have dropped yet */
  constructor(connections: Iterable<string>, countedThroughMs: number | undefined, nowMs: number) {
    this.#connections = new Set(connections)
    this.countedThroughMs = countedThroughMs
    if (this.#connections.size === 0) this.#settle(nowMs)
  }

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** Markers of connections that the broker may not have dropped yet. */
  get connections(): readonly string[] {
    return [...this.#connections]
  }

  /** Whether it waits for a sight of the queues. */
  get isLooking(): boolean {
    return this.#state === 'settling' || this.#state === 'looking'
  }

  /** The broker has dropped this connection. */
  dropped(marker: string, nowMs: number): void {
    this.#connections.delete(marker)
    if (this.#state === 'dropping' && this.#connections.size === 0) this.#settle(nowMs)
  }

  saw(sight: Sight): void {
    if (this.#state === 'settling' && sight.begunAtMs >= this.#droppedAtMs + settleMs) this.#state = 'looking'
    if (this.#state !== 'looking') return
    if (sight.isClicksEmpty) this.#unseen.delete('clicks')
    if (sight.isSuspectEmpty) this.#unseen.delete('suspect')
    if (sight.isDeadEmpty) this.#unseen.delete('dead')
    if (sight.freshDeliveries !== undefined) {
      // What was delivered before the end of the first look may have left the queue before.
      this.#freshAtFirstLook ??= sight.freshDeliveries
      if (sight.freshDeliveries > this.#freshAtFirstLook) this.#unseen.delete('clicks')
    }
    if (this.#unseen.size === 0) this.#state = 'reporting'
  }

  /** To be called with rows that were read after this process had written what its last look has shown. */
  reported(reports: Reports, nowMs: number): void {
    if (this.#state !== 'reporting') return
    this.#missing ??= new Map(Array.from(reports, ([process, count]) => [process, count + reportsOfOthers]))
    for (const [process, until] of this.#missing) {
      const count = reports.get(process)
      if (count === undefined) {
        this.#settle(nowMs)
        return
      }
      if (count >= until) this.#missing.delete(process)
    }
    if (this.#missing.size === 0) this.#state = 'done'
  }

  #settle(nowMs: number): void {
    this.#state = 'settling'
    this.#droppedAtMs = nowMs
    this.#freshAtFirstLook = undefined
    this.#missing = undefined
    for (const queue of queues) this.#unseen.add(queue)
  }
}
