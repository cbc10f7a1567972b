import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { assertTopology } from '@clicktally/broker/topology.ts'
import type { PreviousProducer } from '@clicktally/contract/ledger-stamp.ts'
import type { ChannelModel } from 'amqplib'
import type { Logger } from 'pino'
import { type ClickGroup, ClickGroups } from './click-groups.ts'
import { publishFailure } from './publish-failure.ts'
import { type Outcome, StampedChannel } from './stamped-channel.ts'

export interface ClickPublisherOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  /** Milliseconds within which the broker must have confirmed. */
  readonly confirmWithinMs: number
  readonly maxHeldClicks: number
  readonly maxHeldBytes: number
  readonly onConfirmed: (clicks: number, seconds: number) => void
}

const tickEveryMs = 100
/** With a tick on top, what the ledger knows is told within a second. */
const reportAfterMs = 800
/** The broker answers at once or is in trouble; the process must end within its 20 s. */
const lastReportWithinMs = 1_000

/**
 * Publishes clicks, each answered once the broker has it safe.
 *
 * Clicks that meet an idle publisher leave in the same turn of the event loop; no timer delays them. While the broker is
 * away or takes no messages, they are refused at once. A connection ends: what it held fails, and the next one's ledger
 * tells how it ended. When no clicks come any more, a report without clicks tells the ledger what became of the last.
 */
export class ClickPublisher {
  readonly #options: ClickPublisherOptions
  readonly #link: BrokerLink
  readonly #groups: ClickGroups
  #channel: StampedChannel | undefined
  #previous: PreviousProducer | undefined
  #flushScheduled = false
  readonly #ticker: NodeJS.Timeout

  constructor(options: ClickPublisherOptions) {
    this.#options = options
    const { confirmWithinMs, maxHeldClicks, maxHeldBytes } = options
    this.#groups = new ClickGroups({
      confirmWithinMs,
      maxHeldClicks,
      maxHeldBytes,
      send: (group) => this.#send(group),
    })
    this.#link = new BrokerLink({
      url: options.brokerUrl,
      name: 'clicktally ingest',
      logger: options.logger,
      setUp: (model) => this.#setUp(model),
      onDown: () => this.#onDown(),
    })
    this.#ticker = setInterval(() => this.#tick(), tickEveryMs).unref()
  }

  /** Whether a click published now has a chance. */
  get isReady(): boolean {
    return this.#channel !== undefined && this.#link.blocked === undefined
  }

  get heldClicks(): number {
    return this.#groups.heldClicks
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
    if (this.#channel === undefined) return Promise.reject(publishFailure('broker_unavailable'))
    if (this.#link.blocked !== undefined) return Promise.reject(publishFailure('broker_blocked'))
    if (!this.#flushScheduled) {
      // After all sockets of this turn have been read, so that what came together goes together.
      this.#flushScheduled = true
      setImmediate(() => {
        this.#flushScheduled = false
        this.#groups.flush()
      })
    }
    return this.#groups.add(lines, clicks)
  }

  /** Waits for what is held (it has a deadline), tells the ledger about it, then closes. */
  async close(): Promise<void> {
    while (this.#groups.heldClicks > 0 && this.#channel !== undefined) await sleep(10)
    clearInterval(this.#ticker)
    await this.#reportLast()
    await this.#link.close()
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel()
    // Without a listener an error on the channel would end the process. The cause is in `error`, the end in `close`.
    let cause = new Error('the broker closed the channel')
    let closed = false
    channel.on('error', (error) => {
      cause = error
    })
    // Before amqplib's own listener, which fails each unconfirmed message as if the broker had refused it.
    channel.prependListener('close', () => {
      closed = true
      this.#onDown()
      this.#link.restart(cause)
    })
    await assertTopology(channel)
    // It may close in the same turn in which the last answer came.
    if (closed) throw cause
    this.#channel = new StampedChannel(channel, this.#previous)
  }

  #onDown(): void {
    if (this.#channel === undefined) return
    this.#previous = this.#channel.close()
    this.#channel = undefined
    this.#groups.failAll(publishFailure('broker_unavailable'))
  }

  #send(group: ClickGroup): void {
    if (this.#channel === undefined) {
      // Nothing waits without a channel; should it ever, it is answered.
      this.#groups.failed(group, publishFailure('broker_unavailable'))
      return
    }
    const content = Buffer.from(group.members.map(({ lines }) => lines).join('\n'))
    // Held until the confirm, the text would only be copied by collections of garbage.
    for (const member of group.members) member.lines = ''
    const publishedAtMs = performance.now()
    this.#channel.publish(content, group.clicks, (outcome) => {
      if (outcome === 'confirmed') {
        this.#options.onConfirmed(group.clicks, (performance.now() - publishedAtMs) / 1000)
        this.#groups.confirmed(group)
      } else {
        this.#groups.failed(group, publishFailure(outcome === 'returned' ? 'unroutable' : 'queue_full'))
        this.#mend(outcome)
      }
    })
  }

  #tick(): void {
    this.#groups.expire()
    // A blocked broker would get them all once it takes messages again.
    if (this.isReady && this.#channel?.owesReport(reportAfterMs)) {
      this.#channel.report((outcome) => this.#mend(outcome))
    }
  }

  async #reportLast(): Promise<void> {
    const channel = this.#channel
    if (channel === undefined || !this.isReady || !channel.owesReport(0)) return
    const reported = Promise.withResolvers<void>()
    channel.report(() => reported.resolve())
    await Promise.race([reported.promise, sleep(lastReportWithinMs, undefined, { ref: false })])
  }

  #mend(outcome: Outcome): void {
    // The queue or its binding was deleted behind our back: a new connection declares them again.
    if (outcome === 'returned') this.#link.restart(new Error('a message was returned as unroutable'))
  }
}
