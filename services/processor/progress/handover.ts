/** Time for the broker, after it has dropped a connection, to requeue messages and to dead-letter those over the delivery limit. */
const settleMs = 2_000
/** Two, because the first may have begun before the queues were observed. */
const reportsOfOthers = 2

const queues = ['clicks', 'suspect', 'dead'] as const

/** The result of one observation of the queues. */
export interface QueueObservation {
  /** When the observation began, in milliseconds of the monotonic clock. */
  readonly begunAtMs: number
  /** Fresh deliveries from the queue `clicks` so far; undefined if the observation failed. */
  readonly freshDeliveries: number | undefined
  /** Whether the queue was proven to be empty. */
  readonly isClicksEmpty: boolean
  readonly isSuspectEmpty: boolean
  readonly isDeadEmpty: boolean
}

/** How often each other process has reported, according to its row. */
export type Reports = ReadonlyMap<string, number>

/**
 * Messages whose holder is gone: this process, on a lost connection, or another process whose row this one has taken over. Until
 * they are accounted for, this process reports no later time than the holder did.
 *
 * States:
 * - `dropping`: the broker may still hold the messages for the lost connections.
 * - `settling`: it has dropped the connections and requeues the messages.
 * - `observing`: waits until this process has seen what follows those messages in the queue `clicks` (a fresh delivery, or that
 *   the queue is empty) and that the two other queues are empty. Then each message was delivered to some process since.
 * - `reporting`: waits until every other process has reported twice since, so that the row of the new holder covers them. If the
 *   row of a process disappears before, that process may have held them: back to `settling`.
 * - `done`.
 *
 * While no process can read the queue, or every prefetch is full, the handover stays open and `asOf` does not advance.
 */
export class Handover {
  /** What the row of the holder said, milliseconds since 1970; undefined until that was read. */
  countedThroughMs: number | undefined
  readonly #connections: Set<string>
  #state: 'dropping' | 'settling' | 'observing' | 'reporting' | 'done' = 'dropping'
  #droppedAtMs = 0
  #freshAtFirst: number | undefined
  readonly #unseen = new Set<(typeof queues)[number]>()
  /** For each process that has not reported twice yet: the number of reports at which it has. */
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

  /** Whether it waits for an observation of the queues. */
  get isObserving(): boolean {
    return this.#state === 'settling' || this.#state === 'observing'
  }

  /** The broker has dropped this connection. */
  dropped(marker: string, nowMs: number): void {
    this.#connections.delete(marker)
    if (this.#state === 'dropping' && this.#connections.size === 0) this.#settle(nowMs)
  }

  observed(observation: QueueObservation): void {
    if (this.#state === 'settling' && observation.begunAtMs >= this.#droppedAtMs + settleMs) this.#state = 'observing'
    if (this.#state !== 'observing') return
    if (observation.isClicksEmpty) this.#unseen.delete('clicks')
    if (observation.isSuspectEmpty) this.#unseen.delete('suspect')
    if (observation.isDeadEmpty) this.#unseen.delete('dead')
    if (observation.freshDeliveries !== undefined) {
      // Deliveries before the end of the first observation may have left the queue earlier.
      this.#freshAtFirst ??= observation.freshDeliveries
      if (observation.freshDeliveries > this.#freshAtFirst) this.#unseen.delete('clicks')
    }
    if (this.#unseen.size === 0) this.#state = 'reporting'
  }

  /** Call it with rows that were read after this process had written the result of its last observation. */
  reported(reports: Reports, nowMs: number): void {
    if (this.#state !== 'reporting') return
    this.#missing ??= new Map(Array.from(reports, ([process, count]) => [process, count + reportsOfOthers]))
    for (const [process, until] of this.#missing) {
      const count = reports.get(process)
      // A lower count: its row was taken over, and it has created a new one.
      if (count === undefined || count < until - reportsOfOthers) {
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
    this.#freshAtFirst = undefined
    this.#missing = undefined
    for (const queue of queues) this.#unseen.add(queue)
  }
}
