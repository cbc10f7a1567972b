import type { View } from './watched-consumers.ts'

/**
 * Milliseconds for the queue, once it works and the broker has dropped a connection, to requeue what the connection held and to dead-letter
 * what is over the delivery limit.
 *
 * In a cluster the node of the connection may be gone or cut off. The node of the queue's leader notices that up to a quarter of
 * `net_ticktime` after another one has dropped the connection, and requeues after `consumer_disconnected_timeout`: 5 s and 1 s
 * (infra/rabbitmq/rabbitmq.conf).
 */
export const settlesWithinMs = { oneNode: 2_000, cluster: 8_000 } as const
/** Two, because the first may have begun before the queues were observed. */
const reportsOfOthers = 2

/** What this process has seen of a queue. */
type QueueView = Pick<View, 'isFenced' | 'freshDeliveries' | 'isEmpty'>

/** One observation of the queues. Times are in milliseconds of the monotonic clock. */
export interface QueueObservation {
  readonly begunAtMs: number
  readonly endedAtMs: number
  readonly clicks: QueueView
  readonly suspect: QueueView
  readonly dead: QueueView
}

/** How often each other process has reported, according to its row. */
export type Reports = ReadonlyMap<string, number>

/**
 * Watches for the moment after which a queue has delivered all that was requeued when a connection was lost.
 *
 * A queue that has lost its leader requeues nothing until another is elected, so the time since the connection was lost says nothing. The
 * queue must prove twice that it works, the second time after it had time to requeue: each proof goes through its leader and shows that
 * what was in the queue is delivered.
 */
class QueueWatch {
  #isSeen = false
  #proofs = 0
  /** Observations that began earlier are ignored. */
  #fromMs: number
  #freshAtFirst: number | undefined
  readonly #settleMs: number

  constructor(fromMs: number, settleMs: number) {
    this.#fromMs = fromMs
    this.#settleMs = settleMs
  }

  get isSeen(): boolean {
    return this.#isSeen
  }

  /** @param isOrdered whether a fresh delivery shows that all that was in the queue before is delivered */
  observed({ isFenced, freshDeliveries, isEmpty }: QueueView, times: QueueObservation, isOrdered: boolean): void {
    if (this.#isSeen || times.begunAtMs < this.#fromMs) return
    if (!isFenced) {
      // Perhaps it has lost its leader, and requeues once more what it had not yet requeued.
      this.#proofs = 0
      this.#await(times.endedAtMs)
      return
    }
    // Deliveries before the end of the first observation may have left the queue earlier.
    this.#freshAtFirst ??= freshDeliveries
    if (!isEmpty && !(isOrdered && freshDeliveries > this.#freshAtFirst)) return
    this.#proofs += 1
    this.#isSeen = this.#proofs === 2
    this.#await(times.endedAtMs + this.#settleMs)
  }

  #await(fromMs: number): void {
    this.#fromMs = fromMs
    this.#freshAtFirst = undefined
  }
}

/**
 * Messages whose holder is gone: this process, on a lost connection, or another process whose row this one has taken over. Until
 * they are accounted for, this process reports no later time than the holder did.
 *
 * States:
 * - `dropping`: the broker may still hold the messages for the lost connections.
 * - `observing`: it has dropped the connections. Waits until each queue has requeued the messages, and this process has seen what follows
 *   them: in the queue `clicks` a fresh delivery, or that it is empty; that the two other queues are empty. Then each message was
 *   delivered to some process since.
 * - `reporting`: waits until every other process has reported twice since, so that the row of the new holder covers them. If the
 *   row of a process disappears before, that process may have held them: back to `observing`.
 * - `done`.
 *
 * While no process can read a queue, or every prefetch is full, the handover stays open and `asOf` does not advance.
 */
export class Handover {
  /** What the row of the holder said, milliseconds since 1970; undefined until that was read. */
  countedThroughMs: number | undefined
  readonly #connections: Set<string>
  #state: 'dropping' | 'observing' | 'reporting' | 'done' = 'dropping'
  #watches: Record<'clicks' | 'suspect' | 'dead', QueueWatch> | undefined
  /** For each process that has not reported twice yet: the number of reports at which it has. */
  #missing: Map<string, number> | undefined
  readonly #settleMs: number

  /**
   * @param connections markers of connections that the broker may not have dropped yet
   * @param settleMs see settlesWithinMs
   */
  constructor(
    connections: Iterable<string>,
    countedThroughMs: number | undefined,
    nowMs: number,
    settleMs: number = settlesWithinMs.oneNode,
  ) {
    this.#settleMs = settleMs
    this.#connections = new Set(connections)
    this.countedThroughMs = countedThroughMs
    if (this.#connections.size === 0) this.#observe(nowMs)
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
    return this.#state === 'observing'
  }

  /** The broker has dropped this connection. */
  dropped(marker: string, nowMs: number): void {
    this.#connections.delete(marker)
    if (this.#state === 'dropping' && this.#connections.size === 0) this.#observe(nowMs)
  }

  observed(observation: QueueObservation): void {
    if (this.#state !== 'observing' || this.#watches === undefined) return
    const { clicks, suspect, dead } = this.#watches
    clicks.observed(observation.clicks, observation, true)
    suspect.observed(observation.suspect, observation, false)
    dead.observed(observation.dead, observation, false)
    if (clicks.isSeen && suspect.isSeen && dead.isSeen) this.#state = 'reporting'
  }

  /** Call it with rows that were read after this process had written the result of its last observation. */
  reported(reports: Reports, nowMs: number): void {
    if (this.#state !== 'reporting') return
    this.#missing ??= new Map(Array.from(reports, ([process, count]) => [process, count + reportsOfOthers]))
    for (const [process, until] of this.#missing) {
      const count = reports.get(process)
      // A lower count: its row was taken over, and it has created a new one.
      if (count === undefined || count < until - reportsOfOthers) {
        this.#observe(nowMs)
        return
      }
      if (count >= until) this.#missing.delete(process)
    }
    if (this.#missing.size === 0) this.#state = 'done'
  }

  #observe(fromMs: number): void {
    this.#state = 'observing'
    this.#missing = undefined
    const watch = () => new QueueWatch(fromMs, this.#settleMs)
    this.#watches = { clicks: watch(), suspect: watch(), dead: watch() }
  }
}
