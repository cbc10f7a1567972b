import { clickColumns } from '@clicktally/database/click-columns.ts'
import { committedDurably } from '@clicktally/database/durable-commit.ts'
import { type EventField, eventFields } from '@clicktally/event/event-fields.ts'
import { timeOfUuidV7 } from '@clicktally/event/uuid-v7.ts'
import type { Pool, PoolClient } from 'pg'
import { verdictOn } from '../queue/failure-policy.ts'
import type { ArrangedBatch, ClickBatch } from '../rows/click-batch.ts'
import { type ClickRow, idOf } from '../rows/click-row.ts'
import type { ConsumedMessage, DeadLetter } from '../rows/consumed-message.ts'
import { BatchCopier } from './batch-copier.ts'
import { createPartition, dayMs } from './click-partitions.ts'
import { type CountClicks, createCountClicks } from './count-clicks.ts'
import { KnownProducers } from './known-producers.ts'
import { countDespiteRefusals } from './refused-clicks.ts'

export interface Counted {
  /** Clicks that were new. */
  readonly counted: number
  /** Clicks whose id was stored already. */
  readonly duplicates: number
}

export interface ClickStoreOptions {
  /** Those of `eventFields`, or more. */
  readonly fields?: readonly EventField[]
  /** Called with the clicks that were new when their transaction is committed. Must not throw. */
  readonly onCounted?: (clicks: readonly ClickRow[]) => void
}

/**
 * The raw clicks, the counters, the ledger and the dead letters.
 *
 * Nearly all batches are written with COPY (batch-copier.ts). Batches with dead letters, and those for which COPY fails because
 * something is known already, are written with one statement that tells known from new itself (count-clicks.ts). Either way is
 * one transaction.
 */
export class ClickStore {
  readonly #pool: Pool
  readonly #producers: KnownProducers
  readonly #copier: BatchCopier
  readonly #countClicks: CountClicks
  readonly #onCounted: (clicks: readonly ClickRow[]) => void

  constructor(pool: Pool, { fields = eventFields, onCounted = () => {} }: ClickStoreOptions = {}) {
    const columns = clickColumns(fields)
    this.#pool = pool
    this.#producers = new KnownProducers(pool)
    this.#copier = new BatchCopier(pool, columns)
    this.#countClicks = createCountClicks(columns)
    this.#onCounted = onCounted
  }

  /** Does the part of count() that needs no database. Optional; call it while the database is busy with another batch. */
  prepare(batch: ClickBatch): void {
    this.#copier.prepare(batch)
  }

  /**
   * Stores the clicks whose id is new, adds exactly those to the counters, stores the dead letters, and enters each message in
   * the ledger. One transaction: all or nothing.
   *
   * @throws the database error. After a lost connection it is not known whether it was done; doing it again changes nothing.
   */
  async count(batch: ClickBatch): Promise<Counted> {
    await this.#producers.add(batch.messages)
    const clicks = batch.isCopyable
      ? ((await this.#copier.copy(batch)) ?? (await this.#count(batch.arranged)))
      : await this.#holdLedger((client) => this.#countClicks(client, batch.arranged))
    this.#onCounted(clicks)
    return { counted: clicks.length, duplicates: batch.clicks - clicks.length }
  }

  /**
   * Does the same with one message, some of whose clicks the database refuses: these become dead letters. One transaction, so
   * that the message is accounted for as a whole.
   *
   * @throws the database error, if it is not about a click. Nothing is done then.
   */
  async countDespiteRefusals(message: ConsumedMessage): Promise<Counted & { readonly refused: readonly DeadLetter[] }> {
    await this.#producers.add([message])
    const outcome = await this.#holdLedger((client) => countDespiteRefusals(client, this.#countClicks, message))
    const { clicks, duplicates, refused } = outcome
    this.#onCounted(clicks)
    return { counted: clicks.length, duplicates, refused }
  }

  /** Creates the partitions for these clicks, except for days that cannot have one. @throws the database error */
  async makePartitionsFor(messages: readonly ConsumedMessage[]): Promise<void> {
    const days = new Set(
      messages.flatMap(({ clicks }) => clicks.map((click) => Math.floor(timeOfUuidV7(idOf(click)) / dayMs))),
    )
    for (const day of [...days].sort()) {
      try {
        await createPartition(this.#pool, day * dayMs)
      } catch (error) {
        if (verdictOn(error) !== 'refused') throw error
      }
    }
  }

  /** The statement alone, which is a transaction. */
  async #count(batch: ArrangedBatch): Promise<readonly ClickRow[]> {
    return await this.#connected((client) => committedDurably(client, () => this.#countClicks(client, batch)))
  }

  /**
   * A transaction that may store dead letters. It keeps the ledger from being folded meanwhile, because a message that is being folded
   * looks like one that was never seen.
   */
  async #holdLedger<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    return await this.#connected(async (client) => {
      await client.query('begin')
      await client.query('select hold_ledger()')
      const result = await work(client)
      const { command } = await committedDurably(client, () => client.query('commit'))
      // COMMIT of a failed transaction raises no error, it answers ROLLBACK.
      if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`)
      return result
    })
  }

  async #connected<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      return await work(client)
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      // A connection in an unknown state is not used again; the server rolls back the transaction.
      client.release(failure)
    }
  }
}
