import { randomUUID } from 'node:crypto'
import type { LedgerStamp, PreviousProducer } from '@clicktally/contract/ledger-stamp.ts'

/** A message without an outcome, between the one before it and the one after it that have none either. */
interface Pending {
  readonly sequence: number
  readonly clicks: number
  /** What its stamp says: as good as told, unless the message is refused. */
  readonly told: number
  /** Confirmed clicks of the messages after it, up to the next that is pending. */
  confirmedAfter: number
  before: Pending | undefined
  after: Pending | undefined
}

/**
 * What one connection of a publisher knows of its messages: it numbers them, and makes the stamp by which each tells what
 * became of those before it.
 *
 * A message: stamped (pending) → confirmed or refused, in any order, once → told, as soon as all before it are settled and
 * a later stamp is on its way. After close() what is pending stays of unknown outcome, and nothing changes any more.
 *
 * Only pending messages are kept, never those that are settled, however many overtake a late one. Who publishes keeps them
 * below 1,000: a longer list of unknown outcomes is not read.
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
  /** How many of those are told by messages that are pending or confirmed; -1 while not even `previous` is. */
  #told: number
  /** The same of confirmed messages alone. */
  #toldForSure: number
  #end: PreviousProducer | undefined

  /** @param previous what close() of the connection before this one has returned. */
  constructor(previous?: PreviousProducer) {
    this.#previous = previous
    this.#told = previous === undefined ? 0 : -1
    this.#toldForSure = this.#told
  }

  /** The stamp for a message with so many clicks, which is to be published now; with 0 it only reports. */
  stamp(clicks: number): LedgerStamp {
    if (this.#end !== undefined) throw new Error('the ledger of a closed connection stamps no message')
    const before = this.#last
    const settled = this.#first === undefined ? this.#stamped : this.#first.sequence - 1
    const sequence = ++this.#stamped
    const pending: Pending = { sequence, clicks, told: this.#confirmed, confirmedAfter: 0, before, after: undefined }
    if (before === undefined) this.#first = pending
    else before.after = pending
    this.#last = pending
    this.#pending.set(sequence, pending)
    this.#told = pending.told
    return {
      producer: this.producer,
      sequence,
      clicks,
      settled,
      confirmed: this.#confirmed,
      // On every message: whichever of them gets through tells it.
      ...(this.#previous !== undefined && { previous: this.#previous }),
    }
  }

  /** The broker has this message, and has routed it to the queue. */
  confirmed(sequence: number): void {
    const pending = this.#take(sequence)
    if (pending === undefined) return
    this.#toldForSure = Math.max(this.#toldForSure, pending.told)
    this.#unlink(pending, pending.clicks)
  }

  /** This message is certainly not in the queue: the broker refused it, or returned it as unroutable. */
  refused(sequence: number): void {
    const pending = this.#take(sequence)
    if (pending === undefined) return
    this.#unlink(pending, 0)
    // What it was to tell nobody has read. A later stamp tells at least as much, so the last of them tells the most.
    this.#told = Math.max(this.#toldForSure, this.#last?.told ?? this.#toldForSure)
  }

  /** Whether clicks were confirmed, or the connection before ended, and no message tells it that is at the broker or on its way. */
  get hasNews(): boolean {
    return this.#told < this.#confirmed
  }

  /**
   * The connection is gone: how it ended, for the ledger of the next. What has no outcome by now stays unknown; an outcome
   * told later changes nothing.
   */
  close(): PreviousProducer {
    this.#end ??= this.#readEnd()
    return this.#end
  }

  #readEnd(): PreviousProducer {
    // Nothing of this connection is surely at the broker, so the one before it may still be untold: the next tells of that.
    if (this.#previous !== undefined && this.#toldForSure < 0) return this.#previous
    let confirmed = this.#confirmed
    for (const pending of this.#pending.values()) confirmed += pending.confirmedAfter
    return { producer: this.producer, confirmed, unknown: [...this.#pending.keys()] }
  }

  #take(sequence: number): Pending | undefined {
    if (this.#end !== undefined) return undefined
    const pending = this.#pending.get(sequence)
    this.#pending.delete(sequence)
    return pending
  }

  /** Takes a message out of the chain and passes its clicks to the one before it, or to the total. */
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
