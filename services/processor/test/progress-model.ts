import { setImmediate as nextTurn } from 'node:timers/promises'
import { pino } from 'pino'
import { ProgressReport } from '../progress/progress-report.ts'
import type { OtherProgress, Progress } from '../progress/progress-table.ts'
import type { View, WatchedConsumer } from '../progress/watched-consumers.ts'

/** A message that was accepted when it was put into the queue, and received by then. */
export interface ModelMessage {
  readonly acceptedAtMs: number
  readonly receivedAtMs: number
  isCounted: boolean
  returns: number
}

type QueueName = 'clicks' | 'suspect'

/** As the broker sees it. */
interface Connection {
  readonly marker: string
  readonly queue: QueueName
  /** Assigned and not acknowledged, in this order. The first `arrived` of them have arrived. */
  readonly assigned: ModelMessage[]
  arrived: number
}

const prefetch = { clicks: 3, suspect: 1 } as const
/** Within the 2 s that a handover allows it. */
const deadLetteredAfterMs = 1_500
/** After an election, for connections that were lost while there was no leader. With the time above within the 2 s as well. */
const requeuedAfterMs = 400

/**
 * A broker, the table of progress, and processes with the real ProgressReport between them, each step of which happens when
 * the test says so. The broker requeues at the head, and what was returned twice comes among the suspects, a while later. Without a
 * leader it notices no lost connection; a newly elected one does, a while later.
 */
export class ProgressModel {
  nowMs = 1_000_000
  #hasLeader = true
  readonly messages: ModelMessage[] = []
  readonly ready: Record<QueueName, ModelMessage[]> = { clicks: [], suspect: [] }
  readonly connections = new Map<string, Connection>()
  readonly rows = new Map<string, { countedThroughMs: number; reports: number; connections: readonly string[] }>()
  readonly processes: ModelProcess[] = []
  #deadLettered: { message: ModelMessage; atMs: number }[] = []
  /** Lost connections whose messages are not requeued yet. The first leader after the loss has requeued them after `atMs`. */
  #lost: { connection: Connection; atMs: number | undefined }[] = []
  #names = 0

  newName(): string {
    this.#names += 1
    return `name-${this.#names}`
  }

  get asOfMs(): number {
    return this.rows.size === 0 ? -Infinity : Math.min(...[...this.rows.values()].map((row) => row.countedThroughMs))
  }

  /** The accepted messages that asOf says are counted, and are not. */
  get lies(): ModelMessage[] {
    return this.messages.filter(({ acceptedAtMs, isCounted }) => !isCounted && acceptedAtMs < this.asOfMs)
  }

  get hasLeader(): boolean {
    return this.#hasLeader
  }

  elect(): void {
    this.#hasLeader = true
    for (const lost of this.#lost) lost.atMs ??= this.nowMs + requeuedAfterMs
  }

  loseLeader(): void {
    this.#hasLeader = false
  }

  accept(ageMs: number): void {
    this.pass(1)
    const message = { acceptedAtMs: this.nowMs, receivedAtMs: this.nowMs - ageMs, isCounted: false, returns: 0 }
    this.messages.push(message)
    this.ready.clicks.push(message)
  }

  pass(ms: number): void {
    this.nowMs += ms
    const due = this.#deadLettered.filter(({ atMs }) => atMs <= this.nowMs)
    this.#deadLettered = this.#deadLettered.filter(({ atMs }) => atMs > this.nowMs)
    this.ready.suspect.push(...due.map(({ message }) => message))
    const isDue = ({ atMs }: { atMs: number | undefined }) => atMs !== undefined && atMs <= this.nowMs
    const noticed = this.#lost.filter(isDue)
    this.#lost = this.#lost.filter((lost) => !isDue(lost))
    for (const { connection } of noticed) this.#requeue(connection)
  }

  assign({ marker, assigned, queue }: Connection): void {
    if (!this.hasLeader || !this.connections.has(marker) || assigned.length >= prefetch[queue]) return
    const message = this.ready[queue].shift()
    if (message !== undefined) assigned.push(message)
  }

  /** The broker drops a connection, whether or not its process has noticed. */
  drop(connection: Connection): void {
    if (!this.connections.delete(connection.marker)) return
    if (this.#hasLeader) this.#requeue(connection)
    else this.#lost.push({ connection, atMs: undefined })
  }

  #requeue({ queue, assigned }: Connection): void {
    for (const message of assigned.splice(0).reverse()) {
      message.returns += 1
      if (queue === 'clicks' && message.returns > 1)
        this.#deadLettered.push({ message, atMs: this.nowMs + deadLetteredAfterMs })
      else this.ready[queue].unshift(message)
    }
  }
}

/** A consumer as ClickConsumer is one, with its writes made by hand. */
class ModelConsumer implements WatchedConsumer {
  readonly #model: ProgressModel
  readonly #process: ModelProcess
  readonly #queue: QueueName
  connection: Connection | undefined
  #countedThroughMs: number | undefined
  #fresh = 0
  #returned = 0

  constructor(model: ProgressModel, process: ModelProcess, queue: QueueName) {
    this.#model = model
    this.#process = process
    this.#queue = queue
  }

  async connect(): Promise<void> {
    const marker = this.#model.newName()
    const connection: Connection = { marker, queue: this.#queue, assigned: [], arrived: 0 }
    this.#model.connections.set(marker, connection)
    await this.#process.report.announce(marker)
    if (this.#model.connections.has(marker)) this.connection = connection
    else this.#process.report.lost(marker)
  }

  /** The process loses its connection. */
  lose(): void {
    const { connection } = this
    this.connection = undefined
    if (connection !== undefined) this.#process.report.lost(connection.marker)
  }

  receive(count = 1): void {
    const { connection } = this
    if (connection === undefined) return
    for (let left = count; left > 0 && connection.arrived < connection.assigned.length; left -= 1) {
      const message = connection.assigned[connection.arrived]
      connection.arrived += 1
      if (this.#isReturned(message)) this.#returned += 1
      else this.#fresh += 1
    }
  }

  /** Commits the oldest message held, and acknowledges it. */
  commit(): void {
    const { connection } = this
    if (connection === undefined || connection.arrived === 0) return
    const message = connection.assigned.shift()
    connection.arrived -= 1
    if (message === undefined) return
    message.isCounted = true
    if (!this.#isReturned(message)) this.#countedThroughMs = message.receivedAtMs
  }

  handBack(): void {
    const { connection } = this
    if (connection === undefined) return
    // What has not arrived is returned.
    for (const message of connection.assigned.splice(0, connection.arrived)) {
      message.returns = 0
      this.#model.ready.suspect.push(message)
    }
    this.lose()
    this.#model.drop(connection)
  }

  async look(proveEmpty: boolean): Promise<View> {
    const { connection } = this
    if (connection === undefined) return this.#view(true, false)
    const askedAtMs = this.#model.nowMs
    const arrivals = this.#fresh + this.#returned
    const isIdle = connection.arrived === 0
    const isEmpty = await this.#process.step(
      () =>
        proveEmpty &&
        (isIdle || this.#queue === 'suspect') &&
        this.#isOpen(connection) &&
        this.#model.ready[this.#queue].length === 0,
    )
    return await this.#process.step(() => {
      if (!this.#isOpen(connection)) return this.#view(false, false)
      this.receive(Infinity)
      const isStillIdle = connection.arrived === 0 && arrivals === this.#fresh + this.#returned
      if (isEmpty && isIdle && isStillIdle) this.#countedThroughMs = askedAtMs
      return this.#view(true, isEmpty)
    })
  }

  release(): void {
    throw new Error('the model has no time for that')
  }

  async isConnectionDropped(marker: string): Promise<boolean | undefined> {
    return await this.#process.step(() => {
      if (this.connection === undefined || !this.#model.connections.has(this.connection.marker)) return undefined
      return !this.#model.connections.has(marker)
    })
  }

  #isOpen({ marker }: Connection): boolean {
    return this.#model.hasLeader && this.connection?.marker === marker && this.#model.connections.has(marker)
  }

  #isReturned(message: ModelMessage | undefined): boolean {
    return this.#queue === 'suspect' || (message?.returns ?? 0) > 0
  }

  #view(isFenced: boolean, isEmpty: boolean): View {
    const held = this.connection?.assigned.slice(0, this.connection.arrived) ?? []
    return {
      isFenced,
      isEmpty,
      countedThroughMs: this.#countedThroughMs,
      freshDeliveries: this.#fresh,
      returnedDeliveries: this.#returned,
      holdsReturned: held.some((message) => this.#isReturned(message)),
    }
  }
}

const noConsumer: WatchedConsumer = {
  look: async () => ({
    isFenced: true,
    isEmpty: true,
    countedThroughMs: undefined,
    freshDeliveries: 0,
    returnedDeliveries: 0,
    holdsReturned: false,
  }),
  release() {},
  isConnectionDropped: async () => undefined,
}

export class ModelProcess {
  readonly #model: ProgressModel
  readonly report: ProgressReport
  readonly clicks: ModelConsumer
  readonly suspect: ModelConsumer
  readonly #steps: (() => void)[] = []
  #reporting: Promise<void> | undefined
  #isDead = false

  constructor(model: ProgressModel) {
    this.#model = model
    const { rows } = model
    const id = model.newName()
    const table = {
      write: (progress: Progress) =>
        this.step(() => {
          const { countedThroughMs, holdsUnknown, isFenced, connections } = progress
          const own = rows.get(id)
          const least = Math.min(countedThroughMs, model.asOfMs)
          const ms = own === undefined || holdsUnknown ? least : countedThroughMs
          rows.set(id, { countedThroughMs: ms, reports: (own?.reports ?? 0) + (isFenced ? 1 : 0), connections })
          return ms
        }),
      readOthers: () =>
        this.step(() =>
          [...rows]
            .filter(([processor]) => processor !== id)
            .map(([processor, { reports, connections }]) => ({ processor, reports, connections })),
        ),
      takeOver: ({ processor, connections }: OtherProgress) =>
        this.step(() => {
          const own = rows.get(id)
          const gone = rows.get(processor)
          if (own === undefined || gone?.connections.join() !== connections.join()) return undefined
          rows.delete(processor)
          own.countedThroughMs = Math.min(own.countedThroughMs, gone.countedThroughMs)
          return gone.countedThroughMs
        }),
    }
    this.report = new ProgressReport({ table, logger: pino({ level: 'silent' }), monotonicMs: () => model.nowMs })
    this.clicks = new ModelConsumer(model, this, 'clicks')
    this.suspect = new ModelConsumer(model, this, 'suspect')
  }

  /** Something that the process waits for, which happens in next(). */
  step<Result>(act: () => Result): Promise<Result> {
    return new Promise((resolve) => this.#steps.push(() => resolve(act())))
  }

  /** The next thing that it waits for happens; it begins a report, or connects, where it waits for none. */
  async next(): Promise<void> {
    if (this.#isDead) return
    const step = this.#steps.shift()
    if (step !== undefined) step()
    else if (this.#reporting === undefined) {
      this.#reporting = this.#connectAndReport().finally(() => {
        this.#reporting = undefined
      })
    }
    await nextTurn()
  }

  crash(): void {
    this.#isDead = true
    this.#model.processes.splice(this.#model.processes.indexOf(this), 1)
  }

  async #connectAndReport(): Promise<void> {
    for (const consumer of [this.clicks, this.suspect]) {
      const { connection } = consumer
      if (connection !== undefined && !this.#model.connections.has(connection.marker)) consumer.lose()
      if (consumer.connection === undefined) await consumer.connect()
    }
    await this.report.report({ clicks: this.clicks, suspect: this.suspect, dead: noConsumer })
  }
}
