import { setTimeout as sleep } from 'node:timers/promises'
import { BrokerLink } from '@clicktally/broker/broker-link.ts'
import { type Outcome, StampedChannel } from '@clicktally/broker/stamped-channel.ts'
import { checkPublishing } from '@clicktally/broker/topology.ts'
import type { PreviousProducer } from '@clicktally/message/ledger-stamp.ts'
import type { MessageSpan, RequestSpan, Tracing } from '@clicktally/tracing/tracing.ts'
import type { ChannelModel } from 'amqplib'
import type { Logger } from 'pino'
import { type ClickGroup, ClickGroups } from './click-groups.ts'
import { ConfirmWatchdog } from './confirm-watchdog.ts'
import { publishFailure } from './publish-failure.ts'

export interface ClickPublisherOptions {
  readonly brokerUrl: string
  readonly logger: Logger
  /** The deadline for the broker's confirm, in milliseconds. */
  readonly confirmWithinMs: number
  readonly maxHeldClicks: number
  readonly maxHeldBytes: number
  /** After this many milliseconds without a message, one without clicks is sent to check that the queue works. */
  readonly probeEveryMs: number
  readonly onConfirmed: (clicks: number, seconds: number) => void
  readonly tracing?: Pick<Tracing, 'startMessage'> | undefined
}

/** Why clicks are refused at once. */
export const refusals = ['broker_unavailable', 'broker_blocked', 'queue_unavailable', 'queue_full'] as const
export type Refusal = (typeof refusals)[number]

const tickEveryMs = 100
/** With a tick on top, confirms are reported to the ledger within a second. */
const reportAfterMs = 800
/** Requests reach their own deadline first. They are answered `confirm_timeout`, as for a queue that is only slow. */
const watchdogMarginMs = 1_000
/** With several hosts: an ingest should accept clicks elsewhere within 3 s. */
const clusterLimitMs = 2_000
/**
 * At each of the other hosts. A message that arrived before the queue had elected a leader may stay unconfirmed, while one on a new
 * connection is confirmed. Only messages without clicks are sent until then.
 */
const retryLimitMs = 1_000
const failureProbeEveryMs = 1_000
/** A healthy broker answers at once, and the process must exit within its 20 s. */
const lastReportTimeoutMs = 1_000

/** How long to wait for a confirm before the connection is replaced; longer and longer, because a broker that is only slow needs time. */
function confirmLimitsMs(longestMs: number, hosts: number): [number, ...number[]] {
  if (hosts === 1) return [longestMs]
  const retries = Array.from({ length: hosts - 1 }, () => retryLimitMs)
  const limits = [...retries, clusterLimitMs, 2 * clusterLimitMs, longestMs].map((ms) => Math.min(ms, longestMs))
  return [Math.min(clusterLimitMs, longestMs), ...limits]
}

/**
 * Publishes clicks and waits for the broker's confirms.
 *
 * An idle publisher sends clicks in the same turn of the event loop; no timer delays them. While the broker is disconnected or
 * blocked, clicks are refused at once. When a connection is lost, its unconfirmed clicks fail, and the ledger of the next
 * connection reports how it ended. When no more clicks arrive, a message without clicks reports the last confirms.
 *
 * A circuit breaker guards the queue: closed → open when messages are pending or refused and none has been confirmed for
 * longer than the confirm deadline, in a cluster for 2 s → closed at the next confirm. While it is open, clicks are refused at once, a message
 * without clicks is sent every second as a probe, and a connection with pending messages is replaced. An idle publisher
 * probes as well, so that it does not report to be ready while the queue has no leader.
 */
export class ClickPublisher {
  readonly #options: ClickPublisherOptions
  readonly #link: BrokerLink
  readonly #groups: ClickGroups
  #channel: StampedChannel | undefined
  #previous: PreviousProducer | undefined
  #flushScheduled = false
  readonly #watchdog: ConfirmWatchdog
  /** Why the circuit breaker is open; undefined while it is closed. */
  #queueFailure: 'queue_unavailable' | 'queue_full' | undefined
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
    this.#watchdog = new ConfirmWatchdog(confirmLimitsMs(confirmWithinMs + watchdogMarginMs, this.#link.hostCount))
    this.#ticker = setInterval(() => this.#tick(), tickEveryMs).unref()
  }

  /** Whether a click published now would be sent. */
  get isReady(): boolean {
    return this.refusal === undefined
  }

  /** Why a click published now would be refused at once; undefined if it would be sent. */
  get refusal(): Refusal | undefined {
    if (this.#channel === undefined) return 'broker_unavailable'
    if (this.#link.blocked !== undefined) return 'broker_blocked'
    return this.#queueFailure
  }

  get heldClicks(): number {
    return this.#groups.heldClicks
  }

  get heldBytes(): number {
    return this.#groups.heldBytes
  }

  start(): void {
    this.#link.start()
  }

  /** Resolves when clicks can be published, or after the timeout (milliseconds). */
  async untilReady(timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!this.isReady && Date.now() < deadline) await sleep(20)
  }

  /**
   * Resolves when the broker has routed the clicks to the queue and written them to disk.
   *
   * @param lines of the clicks of a request: the first encoded by encodeClick(), others perhaps by encodeShort()
   * @param span of the request that sent them, if it is traced
   * @throws {ServiceProblem} with status 503: the clicks may or may not be counted, and may be sent again with the same ids.
   */
  publish(lines: string, clicks: number, span?: RequestSpan): Promise<void> {
    const { refusal } = this
    if (refusal !== undefined) return Promise.reject(publishFailure(refusal))
    if (!this.#flushScheduled) {
      // After all sockets of this turn have been read, so that clicks that arrive together are sent together.
      this.#flushScheduled = true
      setImmediate(() => {
        this.#flushScheduled = false
        this.#groups.flush()
      })
    }
    return this.#groups.add(lines, clicks, span)
  }

  /** Waits for the held clicks, which have a deadline, reports their confirms to the ledger, and closes. */
  async close(): Promise<void> {
    while (this.#groups.heldClicks > 0 && this.#channel !== undefined) await sleep(10)
    clearInterval(this.#ticker)
    await this.#reportLast()
    await this.#link.close()
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel()
    // Without a listener an error on the channel would end the process. `error` brings the cause, `close` follows.
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
    // The channel may close in the same turn in which the last response arrived.
    if (closed) throw cause
    this.#channel = new StampedChannel(channel, { appId: 'ingest', previous: this.#previous })
    if (this.#queueFailure !== undefined) this.#probe()
  }

  #onDown(): void {
    if (this.#channel === undefined) return
    this.#previous = this.#channel.close()
    this.#channel = undefined
    this.#groups.failAll(publishFailure(this.#queueFailure ?? 'broker_unavailable'))
  }

  #send(group: ClickGroup): void {
    if (this.#channel === undefined) {
      // Without a channel no clicks should be waiting. If any are, they are answered.
      this.#groups.failed(group, publishFailure('broker_unavailable'))
      return
    }
    const content = Buffer.from(group.members.map(({ lines }) => lines).join('\n'))
    // Released now: garbage collections until the confirm would only copy the text.
    for (const member of group.members) member.lines = ''
    const publishedAtMs = performance.now()
    group.span = this.#startSpan(group)
    const onOutcome = (outcome: Outcome) => {
      if (outcome === 'confirmed') {
        this.#options.onConfirmed(group.clicks, (performance.now() - publishedAtMs) / 1000)
        this.#groups.confirmed(group)
      } else {
        this.#groups.failed(group, publishFailure(outcome === 'returned' ? 'unroutable' : 'queue_full'))
      }
      this.#noteOutcome(outcome)
    }
    this.#channel.publish(content, group.clicks, onOutcome, undefined, group.span?.traceparent)
  }

  #startSpan({ members, clicks }: ClickGroup): MessageSpan | undefined {
    const { tracing } = this.#options
    if (tracing === undefined) return undefined
    const requests = members.flatMap(({ span }) => span ?? [])
    return requests.length === 0 ? undefined : tracing.startMessage(requests, clicks)
  }

  #tick(): void {
    this.#groups.expire()
    const channel = this.#channel
    // A blocked broker reads nothing, so it confirms nothing, and would receive all reports at once when unblocked.
    const isBlocked = this.#link.blocked !== undefined
    if (channel === undefined || isBlocked) {
      this.#watchdog.check(undefined, performance.now())
      return
    }
    const probeEveryMs = this.#queueFailure === undefined ? this.#options.probeEveryMs : failureProbeEveryMs
    const unconfirmedMs = this.#watchdog.check(channel, performance.now())
    if (unconfirmedMs !== undefined) this.#openCircuit(channel, unconfirmedMs)
    else if ((channel.hasUnreportedConfirms && channel.isIdle(reportAfterMs)) || channel.isIdle(probeEveryMs))
      this.#probe()
  }

  /** Sends a message without clicks: it reports to the ledger, and its outcome shows whether the queue works. */
  #probe(): void {
    this.#channel?.report((outcome) => this.#noteOutcome(outcome))
  }

  #openCircuit(channel: StampedChannel, unconfirmedMs: number): void {
    if (this.#queueFailure === undefined) {
      // A full queue refuses messages. So does one without a leader, on a connection that has never reached the leader.
      this.#queueFailure = channel.hasPending ? 'queue_unavailable' : 'queue_full'
      this.#options.logger.error(
        { unconfirmedMs, reason: this.#queueFailure },
        'the queue confirms nothing: clicks are refused',
      )
    }
    if (channel.hasPending) this.#link.restart(new Error(`no message was confirmed for ${unconfirmedMs} ms`))
  }

  async #reportLast(): Promise<void> {
    const channel = this.#channel
    if (channel === undefined || !this.isReady || !channel.hasUnreportedConfirms) return
    const reported = Promise.withResolvers<void>()
    channel.report(() => reported.resolve())
    await Promise.race([reported.promise, sleep(lastReportTimeoutMs, undefined, { ref: false })])
  }

  /** Closes the circuit breaker at a confirm. A missing queue does not open it: each click is returned. */
  #noteOutcome(outcome: Outcome): void {
    if (this.#queueFailure === undefined || outcome !== 'confirmed') return
    this.#queueFailure = undefined
    this.#options.logger.info('the queue confirms again')
  }
}
