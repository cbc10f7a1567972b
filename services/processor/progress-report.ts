import type { Logger } from 'pino'
import { Handover, type Sight } from './handover.ts'
import type { OtherProgress, ProgressTable } from './progress-table.ts'

const reportEveryMs = 250
/** How often the other rows are read while none of them is waited for. */
const readOthersEveryMs = 1_000
/** Six reports. Whoever is only slow still has its connections, which is asked then. */
const silentAfterMs = 1_500
/** Above the pool's limits for a statement that gets no answer. What is held longer, others may be able to count. */
const releaseAfterMs = 15_000

/** What a consumer knows of its queue, after a round trip on its channel: what was on the way to it then is here. */
export interface View {
  /** False where the round trip failed. A consumer that takes nothing needs none. */
  readonly isFenced: boolean
  /** Every fresh message received before is counted, or was lost with a connection. Milliseconds since 1970. */
  readonly countedThroughMs: number | undefined
  /** Deliveries in the order of the queue, so far. */
  readonly freshDeliveries: number
  /** Deliveries of messages that others may have held before, so far. */
  readonly returnedDeliveries: number
  /** Whether it holds such a message now. */
  readonly holdsReturned: boolean
  /** Whether the broker has proven that the queue was empty after the look began. */
  readonly isEmpty: boolean
}

export interface WatchedConsumer {
  /** @param proveEmpty whether to ask for that proof, which is written to the queue's log */
  look(proveEmpty: boolean): Promise<View>
  /** Hands back what it holds, and takes nothing until untilReady() resolves. */
  release(reason: Error): void
  /** Whether the broker has dropped the connection with this marker; undefined where it cannot be asked. */
  isConnectionDropped(marker: string): Promise<boolean | undefined>
}

export interface WatchedConsumers {
  readonly clicks: WatchedConsumer
  readonly suspect: WatchedConsumer
  readonly dead: WatchedConsumer
}

export interface ProgressReportOptions {
  readonly table: Pick<ProgressTable, 'write' | 'readOthers' | 'takeOver'>
  readonly logger: Logger
  /** Milliseconds, monotonic. */
  readonly monotonicMs?: () => number
}

interface Seen {
  readonly reports: number
  readonly sinceMs: number
}

/**
 * Tells the database, a few times a second, up to when this process has counted: what `asOf` rests on (decision 0013).
 *
 * Invariant: for each message that is accepted and not counted there is a row that says no more than its receipt. A fresh
 * message lies behind what each process has seen of the queue. One that is held is not passed by its holder's row. One that
 * was held before, by somebody who is gone, is behind the row or the handover of that one; whoever gets it reads the least of
 * all rows, and stays there until it is counted.
 *
 * The row is written before anything is taken from a queue, and stays when the process ends: another one takes it over.
 */
export class ProgressReport {
  readonly #table: ProgressReportOptions['table']
  readonly #logger: Logger
  readonly #monotonicMs: () => number
  /** Markers of the connections on which messages may be taken. */
  readonly #connections = new Set<string>()
  readonly #seen = new Map<string, Seen>()
  #handovers: Handover[] = []
  /** What the row said when it was made; what it says until a message or an empty queue tells more. */
  #inheritedMs = Infinity
  #freshMs: number | undefined
  /** While messages are held that others may have held before: the least of all rows when they were delivered. */
  #floorMs: number | undefined
  #returnedDeliveries = 0
  #hasRow = false
  #writing: Promise<unknown> = Promise.resolve()
  #readOthersAtMs = -Infinity
  #reportedAtMs: number
  #timer: NodeJS.Timeout | undefined
  #reporting: Promise<void> | undefined
  #closed = false

  constructor({ table, logger, monotonicMs = () => performance.now() }: ProgressReportOptions) {
    this.#table = table
    this.#logger = logger
    this.#monotonicMs = monotonicMs
    this.#reportedAtMs = monotonicMs()
  }

  /**
   * To be called before anything is taken on a connection: what it holds is reckoned with from here on.
   *
   * @param marker of the connection (connection-marker.ts)
   * @throws what the database said
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

  /** The connection is gone. The broker delivers again what was held on it, now or when it has noticed. */
  lost(marker: string): void {
    if (this.#connections.delete(marker)) this.#handovers.push(new Handover([marker], undefined, this.#monotonicMs()))
  }

  start(consumers: WatchedConsumers): void {
    this.#timer = setTimeout(() => {
      this.#reporting = this.#reportOrRelease(consumers).finally(() => {
        if (!this.#closed) this.start(consumers)
      })
    }, reportEveryMs)
  }

  /** Stops. The row stays for the others, or for whoever starts next. */
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
      // The others wait for this process's report, and can do so only as long as it may hold messages.
      const reason = new Error('progress could not be reported for a while', { cause: error })
      for (const consumer of Object.values(consumers) as WatchedConsumer[]) consumer.release(reason)
    }
  }

  /** One report. @throws what the database said */
  async report(consumers: WatchedConsumers): Promise<void> {
    const begunAtMs = this.#monotonicMs()
    const isLooking = this.#handovers.some((handover) => handover.isLooking)
    const [clicks, suspect, dead] = await Promise.all([
      consumers.clicks.look(true),
      consumers.suspect.look(isLooking),
      consumers.dead.look(isLooking),
    ])
    const views = [clicks, suspect, dead]
    this.#saw({
      begunAtMs,
      freshDeliveries: clicks.isFenced ? clicks.freshDeliveries : undefined,
      isClicksEmpty: clicks.isEmpty,
      isSuspectEmpty: suspect.isEmpty,
      isDeadEmpty: dead.isEmpty,
    })
    this.#freshMs = clicks.countedThroughMs
    const returnedDeliveries = views.reduce((sum, view) => sum + view.returnedDeliveries, 0)
    const hasNew = returnedDeliveries > this.#returnedDeliveries
    const holdsReturned = views.some((view) => view.holdsReturned)
    if (!holdsReturned) this.#floorMs = undefined
    const isFenced = views.every((view) => view.isFenced)
    // Without a connection nothing can be proven here. The row falls silent, and another process takes it over.
    if (this.#connections.size === 0) return
    const writtenMs = await this.#write(holdsReturned && hasNew, isFenced)
    if (holdsReturned && hasNew) this.#floorMs = writtenMs
    this.#returnedDeliveries = returnedDeliveries
    await this.#watchOthers(consumers)
  }

  #saw(sight: Sight): void {
    for (const handover of this.#handovers) handover.saw(sight)
  }

  /** One at a time: each says which connections there are. */
  async #write(holdsUnknown: boolean, isFenced: boolean): Promise<number> {
    const written = this.#writing.then(async () => {
      const unknown = this.#handovers.filter(({ countedThroughMs }) => countedThroughMs === undefined)
      const ms = await this.#table.write({
        countedThroughMs: this.#leastMs(),
        holdsUnknown: holdsUnknown || unknown.length > 0 || !this.#hasRow,
        isFenced,
        connections: [...this.#connections, ...this.#handovers.flatMap(({ connections }) => connections)],
      })
      for (const handover of unknown) handover.countedThroughMs = ms
      if (!this.#hasRow) this.#begin(ms)
      return ms
    })
    this.#writing = written.catch(() => {})
    return await written
  }

  #begin(countedThroughMs: number): void {
    this.#hasRow = true
    this.#inheritedMs = countedThroughMs
    // There was no row: nobody knows what others may have held, or what lies in the queues.
    if (countedThroughMs === -Infinity) this.#handovers.push(new Handover([], countedThroughMs, this.#monotonicMs()))
  }

  #leastMs(): number {
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

  /** Takes over the row of a process that has no connection any more. */
  async #takeOver(other: OtherProgress, clicks: WatchedConsumer): Promise<void> {
    for (const marker of other.connections) if (!(await clicks.isConnectionDropped(marker))) return
    const takenMs = await this.#table.takeOver(other)
    if (takenMs === undefined) return
    this.#handovers.push(new Handover([], takenMs, this.#monotonicMs()))
    this.#logger.info({ processor: other.processor }, 'took over from a processor that is gone')
  }
}
