import { randomUUID } from 'node:crypto'
import { type PreviousProducer, stampHeaders } from '@clicktally/message/ledger-stamp.ts'
import { clicksMessageType } from '@clicktally/message/message-type.ts'
import type { ConfirmChannel, Options } from 'amqplib'
import { ProducerLedger } from './producer-ledger.ts'
import { topology } from './topology.ts'

/** The broker has stored and routed the message, or has returned it because no queue is bound, or its queue refused it. */
export type Outcome = 'confirmed' | 'returned' | 'refused'

export interface StampedChannelOptions {
  /** The AMQP `appId` of the messages. */
  readonly appId: string
  /** What close() of this publisher's channel before has returned. */
  readonly previous?: PreviousProducer | undefined
  /** Of each message, besides those of the ledger. */
  readonly headers?: Readonly<Record<string, string>>
}

const noContent = Buffer.alloc(0)

/**
 * Publishes clicks over a confirm channel. Each message is persistent and mandatory, carries a stamp for the ledger, and has
 * one outcome.
 *
 * Call close() as soon as the channel is closed, in a listener that runs before amqplib's own: that one reports each
 * unconfirmed message as refused. A message without an outcome by then never gets one: it may have arrived.
 */
export class StampedChannel {
  readonly #channel: ConfirmChannel
  readonly #appId: string
  readonly #headers: Readonly<Record<string, string>> | undefined
  readonly #ledger: ProducerLedger
  /** Sequences of messages that were returned and are not yet confirmed. */
  readonly #returned = new Set<number>()
  #publishedAtMs = performance.now()
  #pending = 0
  #confirmed = 0
  #wasLastRefused = false
  #open = true

  constructor(channel: ConfirmChannel, { appId, previous, headers }: StampedChannelOptions) {
    this.#channel = channel
    this.#appId = appId
    this.#headers = headers
    this.#ledger = new ProducerLedger(previous)
    // An unroutable message is returned, and then confirmed all the same.
    channel.on('return', ({ properties }) => {
      const sequence: unknown = properties.headers?.sequence
      if (typeof sequence === 'number') this.#returned.add(sequence)
    })
  }

  /** Whether clicks were confirmed, or the previous channel closed, and no message has reported it to the ledger yet. */
  get hasUnreportedConfirms(): boolean {
    return this.#ledger.hasUnreportedConfirms
  }

  /** Messages that were confirmed since the channel was opened. */
  get confirmed(): number {
    return this.#confirmed
  }

  /** Whether messages wait for their outcome. */
  get hasPending(): boolean {
    return this.#pending > 0
  }

  /** Whether the last outcome was a refusal. */
  get wasLastRefused(): boolean {
    return this.#wasLastRefused
  }

  /** Whether nothing was published for this many milliseconds. */
  isIdle(forMs: number): boolean {
    return performance.now() - this.#publishedAtMs >= forMs
  }

  /**
   * Publishes clicks, one a line. `onOutcome` is called once, and never after close().
   *
   * @param type the AMQP `type`; null publishes without one, as a dead letter may have none.
   * @param traceparent the header of this name, which ties the message to a trace; undefined for none
   */
  publish(
    content: Buffer,
    clicks: number,
    onOutcome: (outcome: Outcome) => void,
    type: string | null = clicksMessageType,
    traceparent?: string,
  ): void {
    this.#publishedAtMs = performance.now()
    this.#pending += 1
    const stamp = this.#ledger.stamp(clicks)
    const { sequence } = stamp
    const options: Options.Publish = {
      contentType: 'application/x-ndjson',
      messageId: randomUUID(),
      timestamp: Math.floor(Date.now() / 1000),
      appId: this.#appId,
      headers:
        traceparent === undefined && this.#headers === undefined
          ? stampHeaders(stamp)
          : { ...this.#headers, ...stampHeaders(stamp), ...(traceparent !== undefined && { traceparent }) },
      persistent: true,
      mandatory: true,
    }
    if (type !== null) options.type = type
    this.#channel.publish(topology.exchange, topology.routingKey, content, options, (error: unknown) => {
      if (!this.#open) return
      this.#pending -= 1
      const returned = this.#returned.delete(sequence)
      const outcome = error ? 'refused' : returned ? 'returned' : 'confirmed'
      this.#wasLastRefused = outcome === 'refused'
      if (outcome === 'confirmed') {
        this.#confirmed += 1
        this.#ledger.confirmed(sequence)
      } else this.#ledger.refused(sequence)
      onOutcome(outcome)
    })
  }

  /** Publishes a message without clicks, which reports to the ledger the outcomes of the messages before it. */
  report(onOutcome: (outcome: Outcome) => void): void {
    this.publish(noContent, 0, onOutcome)
  }

  /** Ends all outcomes. Returns how the ledger ended, for the `previous` of the publisher's next channel. */
  close(): PreviousProducer {
    this.#open = false
    return this.#ledger.close()
  }
}
