import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { checkPublishing } from '@clicktally/broker/topology.ts'
import type { PreviousProducer } from '@clicktally/contract/ledger-stamp.ts'
import type { ChannelModel } from 'amqplib'
import type { Logger } from 'pino'
import { type ClickGroup, ClickGroups } from './click-groups.ts'
import { ConfirmWatch } from './confirm-watch.ts'
import { publishFailure } from './publish-failure.ts'
import { type Outcome, StampedChannel } from './stamped-channel.ts'

export interface ClickPublisherOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  /** Milliseconds within which the broker must have confirmed. */
  readonly confirmWithinMs: number
  readonly maxHeldClicks: number
  readonly maxHeldBytes: number
  /** After so many milliseconds without a message one without clicks is sent, to learn whether the queue works. */
  readonly probeEveryMs: number
  readonly onConfirmed: (clicks: number, seconds: number) => void
}

const tickEveryMs = 100
/** With a tick on top, what the ledger knows is told within a second. */
const reportAfterMs = 800
/** A request's own deadline comes first: it is answered `confirm_timeout`, as it would be by a queue that is only slow. */
const silentAfterDeadlineMs = 1_000
const probeInDoubtEveryMs = 1_000
/** The broker answers at once or is in trouble; the process must end within its 20 s. */
const lastReportWithinMs = 1_000

/**
 * Publishes clicks, each answered once the broker has it safe.
 *
 * Clicks that meet an idle publisher leave in the same turn of the event loop; no timer delays them. While the broker is
 * away or takes no messages, they are refused at once. A connection ends: what it held fails, and the next one's ledger
 * tells how it ended. When no clicks come any more, a report without clicks tells the ledger what became of the last.
 *
 * The queue: trusted → (messages wait or are refused, and none is confirmed for longer than the confirm deadline) doubted →
 * (a confirm) trusted. While it is doubted clicks are refused at once, a report is sent every second as a probe, and a
 * connection on which messages wait is made anew. An idle publisher probes too, so that it does not claim to be ready over a
 * queue without a leader.
 */
export class ClickPublisher {
  readonly #options: ClickPublisherOptions
  readonly #link: BrokerLink
  readonly #groups: ClickGroups
  #channel: StampedChannel | undefined
  #previous: PreviousProducer | undefined
  #flushScheduled = false
  readonly #confirmWatch: ConfirmWatch
  #doubt: 'queue_unavailable' | 'queue_full' | undefined
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
    this.#confirmWatch = new ConfirmWatch(confirmWithinMs + silentAfterDeadlineMs)
    this.#ticker = setInterval(() => this.#tick(), tickEveryMs).unref()
  }

  /** Whether a click published now has a chance. */
  get isReady(): boolean {
    return this.refusal === undefined
  }

  /** Why a click published now would be refused at once; undefined while it would be sent. */
  get refusal(): 'broker_unavailable' | 'broker_blocked' | 'queue_unavailable' | 'queue_full' | undefined {
    if (this.#channel === undefined) return 'broker_unavailable'
    if (this.#link.blocked !== undefined) return 'broker_blocked'
    return this.#doubt
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
    const { refusal } = this
    if (refusal !== undefined) return Promise.reject(publishFailure(refusal))
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
    await checkPublishing(channel)
    // It may close in the same turn in which the last answer came.
    if (closed) throw cause
    this.#channel = new StampedChannel(channel, this.#previous)
    if (this.#doubt !== undefined) this.#probe()
  }

  #onDown(): void {
    if (this.#channel === undefined) return
    this.#previous = this.#channel.close()
    this.#channel = undefined
    this.#groups.failAll(publishFailure(this.#doubt ?? 'broker_unavailable'))
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
      }
      this.#learn(outcome)
    })
  }

  #tick(): void {
    this.#groups.expire()
    const channel = this.#channel
    // A broker that is blocked reads nothing, so it answers nothing, and would get all reports at once when it is not.
    const isBlocked = this.#link.blocked !== undefined
    if (channel === undefined || isBlocked) {
      this.#confirmWatch.look(undefined, performance.now())
      return
    }
    const probeEveryMs = this.#doubt === undefined ? this.#options.probeEveryMs : probeInDoubtEveryMs
    if (this.#confirmWatch.look(channel, performance.now())) this.#doubtQueue(channel)
    else if (channel.owesReport(reportAfterMs) || channel.isIdle(probeEveryMs)) this.#probe()
  }

  /** Sends a message without clicks: it tells the ledger what is known, and its outcome tells whether the queue works. */
  #probe(): void {
    this.#channel?.report((outcome) => this.#learn(outcome))
  }

  #doubtQueue(channel: StampedChannel): void {
    const unconfirmedMs = this.#options.confirmWithinMs + silentAfterDeadlineMs
    if (this.#doubt === undefined) {
      // A queue that is full refuses, and one without a leader does so too on a connection that has never met the leader.
      this.#doubt = channel.isWaiting ? 'queue_unavailable' : 'queue_full'
      this.#options.logger.error(
        { unconfirmedMs, reason: this.#doubt },
        'the queue confirms nothing: clicks are refused',
      )
    }
    if (channel.isWaiting) this.#link.restart(new Error(`no message was confirmed for ${unconfirmedMs} ms`))
  }

  async #reportLast(): Promise<void> {
    const channel = this.#channel
    if (channel === undefined || !this.isReady || !channel.owesReport(0)) return
    const reported = Promise.withResolvers<void>()
    channel.report(() => reported.resolve())
    await Promise.race([reported.promise, sleep(lastReportWithinMs, undefined, { ref: false })])
  }

  /** A message had an outcome. That a queue is missing is told by each click that is returned. */
  #learn(outcome: Outcome): void {
    if (this.#doubt === undefined || outcome !== 'confirmed') return
    this.#doubt = undefined
    this.#options.logger.info('the queue confirms again')
  }
}
