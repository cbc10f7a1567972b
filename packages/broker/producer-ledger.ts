import { randomUUID } from 'node:crypto'
import type { LedgerStamp, PreviousProducer } from '@clicktally/message/ledger-stamp.ts'

/** A message without an outcome: an entry of a doubly linked list, in the order of publishing. */
interface Pending {
  readonly sequence: number
  readonly clicks: number
  /** Confirmed clicks that its stamp reports: they count as reported unless the message is refused. */
  readonly reported: number
  /** Confirmed clicks of the messages between it and the next pending one. */
  confirmedAfter: number
  before: Pending | undefined
  after: Pending | undefined
}

/**
 * Numbers the messages of one connection of a publisher, and makes the stamp with which each message reports the outcomes of
 * those before it.
 *
 * A message: stamped (pending) → confirmed or refused, in any order, once → reported, as soon as all before it are settled
 * and a later stamp is on its way. After close() the outcome of pending messages stays unknown, and nothing changes any more.
 *
 * Only pending messages are kept in memory, however many settled messages overtake a late one. The publisher must keep them
 * below 1,000: readers ignore a longer list of unknown outcomes.
 */
export class ProducerLedger {
  readonly producer = randomUUID()
  readonly #previous: PreviousProducer | undefined
  readonly #pending = new Map<number, Pending>()
  #first: Pending | undefined
  #last: Pending | undefined
  #stamped = 0
  /** Clicks that were confirmed, in messages before which none is pending. */
  #confirmed = 0
  /** How many of those are reported by pending or confirmed messages; -1 while not even `previous` is reported. */
  #reported: number
  /** The same for confirmed messages only. */
  #surelyReported: number
  #end: PreviousProducer | undefined

  /** @param previous what close() returned for the publisher's connection before this one. */
  constructor(previous?: PreviousProducer) {
    this.#previous = previous
    this.#reported = previous === undefined ? 0 : -1
    this.#surelyReported = this.#reported
  }

  /** The stamp of a message that is published now. A message with 0 clicks only reports. */
  stamp(clicks: number): LedgerStamp {
    if (this.#end !== undefined) throw new Error('the ledger of a closed connection stamps no message')
    const before = this.#last
    const settled = this.#first === undefined ? this.#stamped : this.#first.sequence - 1
    const sequence = ++this.#stamped
    const pending: Pending = {
      sequence,
      clicks,
      reported: this.#confirmed,
      confirmedAfter: 0,
      before,
      after: undefined,
    }
    if (before === undefined) this.#first = pending
    else before.after = pending
    this.#last = pending
    this.#pending.set(sequence, pending)
    this.#reported = pending.reported
    return {
      producer: this.producer,
      sequence,
      clicks,
      settled,
      confirmed: this.#confirmed,
      // On every message, so that any one that arrives reports it.
      ...(this.#previous !== undefined && { previous: this.#previous }),
    }
  }

  /** The broker has stored this message and routed it to the queue. */
  confirmed(sequence: number): void {
    const pending = this.#removePending(sequence)
    if (pending === undefined) return
    this.#surelyReported = Math.max(this.#surelyReported, pending.reported)
    this.#unlink(pending, pending.clicks)
  }

  /** This message is certainly not in the queue: the broker refused it, or returned it as unroutable. */
  refused(sequence: number): void {
    const pending = this.#removePending(sequence)
    if (pending === undefined) return
    this.#unlink(pending, 0)
    // Its report is lost. Each later stamp reports at least as much, so the last one reports the most.
    this.#reported = Math.max(this.#surelyReported, this.#last?.reported ?? this.#surelyReported)
  }

  /** Whether clicks were confirmed, or the previous connection ended, and no pending or confirmed message reports it. */
  get hasUnreportedConfirms(): boolean {
    return this.#reported < this.#confirmed
  }

  /**
   * Call it when the connection is lost. Returns how it ended, for the ledger of the next. Pending messages stay of unknown
   * outcome: an outcome that comes later is ignored.
   */
  close(): PreviousProducer {
    this.#end ??= this.#readEnd()
    return this.#end
  }

  #readEnd(): PreviousProducer {
    // No message of this connection was confirmed, so the end of the one before it may be unreported: pass that on.
    if (this.#previous !== undefined && this.#surelyReported < 0) return this.#previous
    let confirmed = this.#confirmed
    for (const pending of this.#pending.values()) confirmed += pending.confirmedAfter
    return { producer: this.producer, confirmed, unknown: [...this.#pending.keys()] }
  }

  #removePending(sequence: number): Pending | undefined {
    if (this.#end !== undefined) return undefined
    const pending = this.#pending.get(sequence)
    this.#pending.delete(sequence)
    return pending
  }

  /** Removes a message from the list and adds its clicks to the one before it, or to the total. */
  #unlink({ before, after, confirmedAfter }: Pending, confirmedClicks: number): void {
    if (before === undefined) {
      this.#first = after
      this.#confirmed += confirmedClicks + confirmedAfter
    } else {
      before.after = after
      before.confirmedAfter += confirmedClicks + confirmedAfter
    }
    if (after === undefined) this.#last = before
    else after.before = before
  }
}
