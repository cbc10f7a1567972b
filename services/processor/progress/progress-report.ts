import type { Logger } from 'pino'
import { Handover, type QueueObservation, settlesWithinMs } from './handover.ts'
import type { OtherProgress, ProgressTable } from './progress-table.ts'
import type { WatchedConsumer, WatchedConsumers } from './watched-consumers.ts'

const reportEveryMs = 250
/** How often the other rows are read while no handover waits for them. */
const readOthersEveryMs = 1_000
/** Six reports. A process that is only slow still has its connections, which is checked before a takeover. */
const silentAfterMs = 1_500
/** Longer than the pool's time limits. If this process cannot report for longer, others may be able to count what it holds. */
const releaseAfterMs = 15_000

export interface ProgressReportOptions {
  readonly table: Pick<ProgressTable, 'write' | 'readOthers' | 'takeOver'>
  readonly logger: Logger
  /** Of handovers: see settlesWithinMs. */
  readonly settleMs?: number
  /** Milliseconds, monotonic. */
  readonly monotonicMs?: () => number
}

interface Seen {
  readonly reports: number
  readonly sinceMs: number
}

/**
 * Writes to the database, a few times a second, up to when this process has counted. `asOf` is the minimum of these rows
 * (decision 0013).
 *
 * Invariant: for each message that is accepted and not counted, some row has a time no later than the message's receipt.
 * - A fresh message in the queue is later than everything that any process has seen of the queue.
 * - The row of a message's holder does not pass it.
 * - A message whose holder is gone is covered by the row or the handover of that holder. The next holder reads the minimum of all
 *   rows, and does not pass it until the message is counted.
 *
 * The row is written before anything is consumed. It remains when the process ends, until another process takes it over.
 */
export class ProgressReport {
  readonly #table: ProgressReportOptions['table']
  readonly #logger: Logger
  readonly #settleMs: number
  readonly #monotonicMs: () => number
  /** Markers of the connections on which messages may be consumed. */
  readonly #connections = new Set<string>()
  readonly #seen = new Map<string, Seen>()
  #handovers: Handover[] = []
  /** The time in the row when it was created. The row keeps it until a message or an empty queue shows more. */
  #inheritedMs = Infinity
  #freshMs: number | undefined
  /** While returned messages are held: the minimum of all rows when they were delivered. */
  #floorMs: number | undefined
  #returnedDeliveries = 0
  #hasRow = false
  #writing: Promise<unknown> = Promise.resolve()
  #readOthersAtMs = -Infinity
  #reportedAtMs: number
  #timer: NodeJS.Timeout | undefined
  #reporting: Promise<void> | undefined
  #closed = false

  constructor({
    table,
    logger,
    settleMs = settlesWithinMs.oneNode,
    monotonicMs = () => performance.now(),
  }: ProgressReportOptions) {
    this.#table = table
    this.#logger = logger
    this.#settleMs = settleMs
    this.#monotonicMs = monotonicMs
    this.#reportedAtMs = monotonicMs()
  }

  /**
   * Call it before anything is consumed on a connection. From then on, the row covers what the connection holds.
   *
   * @param marker of the connection (connection-marker.ts)
   * @throws the database error
   */
  async announce(marker: string): Promise<void> {
    this.#connections.add(marker)
    try {
      await this.#write(false, false)
    } catch (error) {
      this.#connections.delete(marker)
      throw error
    }
  }

  /** The connection is lost. The broker redelivers what was held on it, as soon as it notices. */
  lost(marker: string): void {
    if (this.#connections.delete(marker)) this.#handOver([marker], undefined)
  }

  start(consumers: WatchedConsumers): void {
    this.#timer = setTimeout(() => {
      this.#reporting = this.#reportOrRelease(consumers).finally(() => {
        if (!this.#closed) this.start(consumers)
      })
    }, reportEveryMs)
  }

  /** Stops. The row remains for the other processes, or for the next one that starts. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#reporting
  }

  async #reportOrRelease(consumers: WatchedConsumers): Promise<void> {
    try {
      await this.report(consumers)
      this.#reportedAtMs = this.#monotonicMs()
    } catch (error) {
      this.#logger.debug({ err: error }, 'progress not reported')
      if (this.#monotonicMs() - this.#reportedAtMs < releaseAfterMs) return
      // The other processes wait for this report as long as this process may hold messages.
      const reason = new Error('progress could not be reported for a while', { cause: error })
      for (const consumer of Object.values(consumers) as WatchedConsumer[]) consumer.release(reason)
    }
  }

  /** One report. @throws the database error */
  async report(consumers: WatchedConsumers): Promise<void> {
    const begunAtMs = this.#monotonicMs()
    const isObserving = this.#handovers.some((handover) => handover.isObserving)
    const [clicks, suspect, dead] = await Promise.all([
      consumers.clicks.look(true),
      consumers.suspect.look(isObserving),
      consumers.dead.look(isObserving),
    ])
    const views = [clicks, suspect, dead]
    this.#observed({ begunAtMs, endedAtMs: this.#monotonicMs(), clicks, suspect, dead })
    this.#freshMs = clicks.countedThroughMs
    const returnedDeliveries = views.reduce((sum, view) => sum + view.returnedDeliveries, 0)
    const hasNew = returnedDeliveries > this.#returnedDeliveries
    const holdsReturned = views.some((view) => view.holdsReturned)
    if (!holdsReturned) this.#floorMs = undefined
    const isFenced = views.every((view) => view.isFenced)
    // Without a connection nothing can be proven. The row is no longer updated, and another process takes it over.
    if (this.#connections.size === 0) return
    const writtenMs = await this.#write(holdsReturned && hasNew, isFenced)
    if (holdsReturned && hasNew) this.#floorMs = writtenMs
    this.#returnedDeliveries = returnedDeliveries
    await this.#watchOthers(consumers)
  }

  #observed(observation: QueueObservation): void {
    for (const handover of this.#handovers) handover.observed(observation)
  }

  /** One write at a time, because each contains all connections and all handovers. */
  async #inTurn<Result>(write: () => Promise<Result>): Promise<Result> {
    const written = this.#writing.then(write)
    this.#writing = written.catch(() => {})
    return await written
  }

  async #write(holdsUnknown: boolean, isFenced: boolean): Promise<number> {
    return await this.#inTurn(async () => {
      const unknown = this.#handovers.filter(({ countedThroughMs }) => countedThroughMs === undefined)
      const ms = await this.#table.write({
        countedThroughMs: this.#minimumMs(),
        holdsUnknown: holdsUnknown || unknown.length > 0 || !this.#hasRow,
        isFenced,
        connections: [...this.#connections, ...this.#handovers.flatMap(({ connections }) => connections)],
      })
      for (const handover of unknown) handover.countedThroughMs = ms
      if (!this.#hasRow) this.#begin(ms)
      return ms
    })
  }

  #begin(countedThroughMs: number): void {
    this.#hasRow = true
    this.#inheritedMs = countedThroughMs
    // There was no row at all: what other processes held, and what is in the queues, is unknown.
    if (countedThroughMs === -Infinity) this.#handOver([], countedThroughMs)
  }

  #handOver(connections: Iterable<string>, countedThroughMs: number | undefined): void {
    this.#handovers.push(new Handover(connections, countedThroughMs, this.#monotonicMs(), this.#settleMs))
  }

  #minimumMs(): number {
    const known = this.#handovers.map(({ countedThroughMs }) => countedThroughMs ?? Infinity)
    return Math.min(this.#freshMs ?? this.#inheritedMs, this.#floorMs ?? Infinity, ...known)
  }

  async #watchOthers({ clicks }: WatchedConsumers): Promise<void> {
    const nowMs = this.#monotonicMs()
    if (this.#handovers.length === 0 && nowMs - this.#readOthersAtMs < readOthersEveryMs) return
    this.#readOthersAtMs = nowMs
    const others = await this.#table.readOthers()
    const reports = new Map(others.map(({ processor, reports }) => [processor, reports]))
    for (const handover of this.#handovers) handover.reported(reports, this.#monotonicMs())
    this.#handovers = this.#handovers.filter(({ isDone }) => !isDone)
    for (const handover of this.#handovers) {
      for (const marker of handover.connections) {
        if (await clicks.isConnectionDropped(marker)) handover.dropped(marker, this.#monotonicMs())
      }
    }
    for (const processor of this.#seen.keys()) if (!reports.has(processor)) this.#seen.delete(processor)
    for (const other of others) {
      const seen = this.#seen.get(other.processor)
      if (seen?.reports !== other.reports) {
        this.#seen.set(other.processor, { reports: other.reports, sinceMs: nowMs })
      } else if (nowMs - seen.sinceMs >= silentAfterMs) {
        await this.#takeOver(other, clicks)
      }
    }
  }

  /** Takes over the row of a process all of whose connections are closed. */
  async #takeOver(other: OtherProgress, clicks: WatchedConsumer): Promise<void> {
    for (const marker of other.connections) if (!(await clicks.isConnectionDropped(marker))) return
    const isTaken = await this.#inTurn(async () => {
      const takenMs = await this.#table.takeOver(other)
      if (takenMs !== undefined) this.#handOver([], takenMs)
      return takenMs !== undefined
    })
    if (!isTaken) return
    this.#logger.info({ processor: other.processor }, 'took over from a processor that is gone')
  }
}
