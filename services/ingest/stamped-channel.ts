import { randomUUID } from 'node:crypto'
import { ProducerLedger } from '@clicktally/broker/producer-ledger.ts'
import { topology } from '@clicktally/broker/topology.ts'
import { clicksMessageType } from '@clicktally/contract/clicks-message.ts'
import { type PreviousProducer, stampHeaders } from '@clicktally/contract/ledger-stamp.ts'
import type { ConfirmChannel } from 'amqplib'

/** What became of a message: the broker has it and has routed it, or it found no queue, or the queue refused it. */
export type Outcome = 'confirmed' | 'returned' | 'refused'

const noContent = Buffer.alloc(0)

/**
 * A channel on which each message carries a stamp for the ledger, and is told what became of it.
 *
 * It lives as long as its channel does: close() when that is gone. A message that has no outcome by then never gets one.
 */
export class StampedChannel {
  readonly #channel: ConfirmChannel
  readonly #ledger: ProducerLedger
  /** Sequences of messages that came back and are not yet confirmed. */
  readonly #returned = new Set<number>()
  #publishedAtMs = performance.now()
  #pending = 0
  #confirmed = 0
  #wasLastRefused = false
  #open = true

  /** @param previous what close() of the channel before has returned. */
  constructor(channel: ConfirmChannel, previous: PreviousProducer | undefined) {
    this.#channel = channel
    this.#ledger = new ProducerLedger(previous)
    // An unroutable message is returned, and then confirmed all the same.
    channel.on('return', ({ properties }) => {
      const sequence: unknown = properties.headers?.sequence
      if (typeof sequence === 'number') this.#returned.add(sequence)
    })
  }

  /** Whether the ledger knows what no message has told, and none is likely to tell soon: nothing was published for so long. */
  owesReport(sinceMs: number): boolean {
    return this.#ledger.hasNews && this.isIdle(sinceMs)
  }

  /** Messages that were confirmed since the channel was opened. */
  get confirmed(): number {
    return this.#confirmed
  }

  /** Whether a confirm is owed: messages wait for their outcome, or the last one was refused. */
  get isUnproven(): boolean {
    return this.#pending > 0 || this.#wasLastRefused
  }

  /** Whether messages wait for their outcome. */
  get isWaiting(): boolean {
    return this.#pending > 0
  }

  /** Whether nothing was published for so long, in milliseconds. */
  isIdle(sinceMs: number): boolean {
    return performance.now() - this.#publishedAtMs >= sinceMs
  }

  /** Publishes clicks, as the message contract writes them. */
  publish(content: Buffer, clicks: number, onOutcome: (outcome: Outcome) => void): void {
    this.#publishedAtMs = performance.now()
    this.#pending += 1
    const stamp = this.#ledger.stamp(clicks)
    const { sequence } = stamp
    const options = {
      type: clicksMessageType,
      contentType: 'application/x-ndjson',
      messageId: randomUUID(),
      timestamp: Math.floor(Date.now() / 1000),
      appId: 'ingest',
      headers: stampHeaders(stamp),
      persistent: true,
      mandatory: true,
    }
    this.#channel.publish(topology.exchange, topology.routingKey, content, options, (error: unknown) => {
      // amqplib fails what is unconfirmed when a channel closes, as if the broker had refused it.
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

  /** Publishes a message without clicks, which tells the ledger what became of those before it. */
  report(onOutcome: (outcome: Outcome) => void): void {
    this.publish(noContent, 0, onOutcome)
  }

  /** Outcomes are told no more. Returns how the ledger ended, for the next channel's. */
  close(): PreviousProducer {
    this.#open = false
    return this.#ledger.close()
  }
}
