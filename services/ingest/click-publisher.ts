import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertTopology, topology } from '@clicktally/broker/topology.ts'
import { clicksMessageType, maxClicksPerMessage } from '@clicktally/contract/clicks-message.ts'
import type { ChannelModel, ConfirmChannel } from 'amqplib'
import type { Logger } from 'pino'
import { type IngestProblemCode, problem } from './errors.ts'

export interface ClickPublisherOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  /** Milliseconds within which the broker must have confirmed. */
  readonly confirmWithinMs: number
  readonly maxHeldClicks: number
  readonly maxHeldBytes: number
  readonly onConfirmed: (clicks: number, seconds: number) => void
}

/** The clicks of one request, until the broker has confirmed them or the time is up. */
interface Waiting {
  readonly lines: string
  readonly clicks: number
  readonly bytes: number
  readonly sinceMs: number
  settled: boolean
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Group {
  readonly members: readonly Waiting[]
  readonly clicks: number
  readonly publishedAtMs: number
  returned: boolean
}

/** One frame of AMQP: a message larger than this costs the broker more than one. */
const maxGroupBytes = 128 * 1024
/** With few clients two groups in flight are best, with many eight: a third needs enough clicks of its own to carry. */
const fewGroups = 2
const manyGroups = 8
const clicksForOneMore = 32
const sweepEveryMs = 100

/**
 * Publishes clicks, each answered once the broker has it safe.
 *
 * As a database commits in groups, what arrives while a message is unconfirmed travels together in the next. A click that
 * meets an idle publisher leaves in the same turn of the event loop; no timer delays it.
 *
 * A request's clicks: waiting → in a group in flight → settled (confirmed, or failed with a problem). A request that is
 * past its deadline is failed where it stands; its clicks may be counted all the same, hence the client's retry with the
 * same ids. Nothing is published again by us. What is held is bounded in clicks and in bytes.
 */
export class ClickPublisher {
  readonly #options: ClickPublisherOptions
  readonly #link: BrokerLink
  #channel: ConfirmChannel | undefined
  #waiting: Waiting[] = []
  #waitingClicks = 0
  readonly #inFlight = new Map<string, Group>()
  #heldClicks = 0
  #heldBytes = 0
  #flushScheduled = false
  readonly #sweeper: NodeJS.Timeout

  constructor(options: ClickPublisherOptions) {
    this.#options = options
    this.#link = new BrokerLink({
      url: options.brokerUrl,
      name: 'clicktally ingest',
      logger: options.logger,
      setUp: (model) => this.#setUp(model),
      onDown: () => this.#onDown(),
    })
    this.#sweeper = setInterval(() => this.#sweep(), sweepEveryMs).unref()
  }

  /** Whether a click published now has a chance. */
  get isReady(): boolean {
    return this.#channel !== undefined && this.#link.blocked === undefined
  }

  get heldClicks(): number {
    return this.#heldClicks
  }

  start(): void {
    this.#link.start()
  }

  /** Resolves when the broker takes clicks, or when the time (milliseconds) is up. */
  async untilReady(withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs
    while (!this.isReady && Date.now() < deadline) await sleep(20)
  }

  /**
   * Resolves when the broker has the clicks on disk and routed to the queue.
   *
   * @param lines one or more clicks as the message contract writes them, one a line.
   * @throws {ServiceProblem} with status 503: the clicks may or may not be counted, and may be sent again with the same ids.
   */
  publish(lines: string, clicks: number): Promise<void> {
    const { maxHeldClicks, maxHeldBytes } = this.#options
    if (this.#channel === undefined) return Promise.reject(failure('broker_unavailable'))
    if (this.#link.blocked !== undefined) return Promise.reject(failure('broker_blocked'))
    const bytes = Buffer.byteLength(lines)
    if (this.#heldClicks + clicks > maxHeldClicks || this.#heldBytes + bytes > maxHeldBytes) {
      return Promise.reject(failure('overloaded'))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lines, clicks, bytes, sinceMs: Date.now(), settled: false, resolve, reject })
      this.#waitingClicks += clicks
      this.#heldClicks += clicks
      this.#heldBytes += bytes
      if (!this.#flushScheduled) {
        // After all sockets of this turn have been read, so that what came together goes together.
        this.#flushScheduled = true
        setImmediate(() => {
          this.#flushScheduled = false
          this.#flush()
        })
      }
    })
  }

  /** Waits for what is held (it has a deadline), then closes. */
  async close(): Promise<void> {
    while (this.#heldClicks > 0 && this.#channel !== undefined) await sleep(10)
    clearInterval(this.#sweeper)
    await this.#link.close()
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel()
    // Without a listener an error on the channel would end the process. The cause is in `error`, the end in `close`.
    let cause = new Error('the broker closed the channel')
    channel.on('error', (error) => {
      cause = error
    })
    // Before amqplib's own listener, which fails each unconfirmed message as if the broker had refused it.
    channel.prependListener('close', () => {
      this.#onDown()
      this.#link.restart(cause)
    })
    // An unroutable message is returned, and then confirmed all the same.
    channel.on('return', ({ properties }) => {
      const group = this.#inFlight.get(String(properties.messageId))
      if (group !== undefined) group.returned = true
    })
    await assertTopology(channel)
    this.#channel = channel
  }

  #onDown(): void {
    this.#channel = undefined
    const groups = [...this.#inFlight.values()]
    this.#inFlight.clear()
    for (const group of groups) this.#settle(group.members, failure('broker_unavailable'))
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingClicks = 0
    this.#settle(waiting, failure('broker_unavailable'))
  }

  #flush(): void {
    while (this.#channel !== undefined && this.#waiting.length > 0 && this.#mayFly()) {
      this.#publishGroup(this.#channel, this.#takeGroup())
    }
  }

  #mayFly(): boolean {
    if (this.#inFlight.size < fewGroups) return true
    return this.#inFlight.size < manyGroups && this.#waitingClicks >= clicksForOneMore
  }

  /** The oldest requests that fit into one message; at least one. */
  #takeGroup(): Group {
    let clicks = 0
    let bytes = 0
    let count = 0
    for (const waiting of this.#waiting) {
      if (count > 0 && (clicks + waiting.clicks > maxClicksPerMessage || bytes + waiting.bytes > maxGroupBytes)) break
      clicks += waiting.clicks
      bytes += waiting.bytes
      count += 1
    }
    const members = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    this.#waitingClicks -= clicks
    return { members, clicks, publishedAtMs: performance.now(), returned: false }
  }

  #publishGroup(channel: ConfirmChannel, group: Group): void {
    const messageId = randomUUID()
    this.#inFlight.set(messageId, group)
    const content = Buffer.from(group.members.map(({ lines }) => lines).join('\n'))
    const options = {
      type: clicksMessageType,
      contentType: 'application/x-ndjson',
      messageId,
      timestamp: Math.floor(Date.now() / 1000),
      appId: 'ingest',
      headers: { clicks: group.clicks },
      persistent: true,
      mandatory: true,
    }
    channel.publish(topology.exchange, topology.routingKey, content, options, (error: unknown) => {
      // Gone from the list: the connection went down first, and its requests have been answered.
      if (!this.#inFlight.delete(messageId)) return
      if (error) this.#settle(group.members, failure('queue_full', error))
      else if (group.returned) this.#settleUnroutable(group)
      else {
        this.#options.onConfirmed(group.clicks, (performance.now() - group.publishedAtMs) / 1000)
        this.#settle(group.members)
      }
      this.#flush()
    })
  }

  /** The queue or its binding was deleted behind our back: a new connection declares them again. */
  #settleUnroutable(group: Group): void {
    this.#settle(group.members, failure('unroutable'))
    this.#link.restart(new Error('a message was returned as unroutable'))
  }

  #sweep(): void {
    const before = Date.now() - this.#options.confirmWithinMs
    const late: Waiting[] = []
    for (const group of this.#inFlight.values()) {
      for (const member of group.members) if (member.sinceMs < before && !member.settled) late.push(member)
    }
    if ((this.#waiting[0]?.sinceMs ?? Infinity) < before) {
      // Not yet published, so taken out: what has been answered 503 need not be sent.
      const stillWaiting = this.#waiting.findIndex(({ sinceMs }) => sinceMs >= before)
      const expired = stillWaiting === -1 ? this.#waiting : this.#waiting.slice(0, stillWaiting)
      this.#waiting = stillWaiting === -1 ? [] : this.#waiting.slice(stillWaiting)
      for (const { clicks } of expired) this.#waitingClicks -= clicks
      late.push(...expired)
    }
    if (late.length > 0) this.#settle(late, failure('confirm_timeout'))
  }

  #settle(members: readonly Waiting[], error?: Error): void {
    for (const member of members) {
      if (member.settled) continue
      member.settled = true
      this.#heldClicks -= member.clicks
      this.#heldBytes -= member.bytes
      if (error === undefined) member.resolve()
      else member.reject(error)
    }
  }
}

const details = {
  broker_unavailable: 'The broker can not be reached, or the connection to it broke before it had the click safe.',
  broker_blocked: 'The broker is short of memory or disk space and takes no clicks until it has recovered.',
  queue_full: 'The queue is full: the processors are behind.',
  unroutable: 'The queue for clicks, or its binding, is missing at the broker.',
  confirm_timeout: 'The broker did not confirm the click in time.',
  overloaded: 'Too many clicks wait for the broker already.',
} as const satisfies Partial<Record<IngestProblemCode, string>>

function failure(code: keyof typeof details, cause?: unknown): Error {
  return problem(code, `${details[code]} Send it again later, with the same id.`, cause)
}
