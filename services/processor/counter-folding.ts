import type { Pool, PoolClient } from 'pg'

/** There is probably more where a fold took this many: 50,000 is the most. */
const largeFold = 40_000
const vacuumEveryDeltas = 20_000
/** While there is more to fold. Without it the table grew as long as a backlog lasted, and each fold began behind all before it. */
const vacuumInBacklogEveryDeltas = 250_000
/** A table that is larger when little is in it was not freed by whoever folded last: another processor, or one that is gone. */
const restingBytes = 4_000_000

/**
 * Moves what batches have added into the counters, and rolls these up (decision 0010). Of several processors that do it at
 * once, one does.
 */
export class CounterFolding {
  readonly #pool: Pool
  #client: PoolClient | undefined
  #closed = false
  #foldedSinceVacuum = 0

  /** @param pool whose statements may take a minute: an hour of many clicks is rolled up in one */
  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** Folds until little is left. @throws what PostgreSQL said; what is not folded stays, and is read as well. */
  async fold(): Promise<void> {
    const client = await this.#pool.connect()
    this.#client = client
    let failure: Error | undefined
    try {
      for (let isMore = true; isMore && !this.#closed; ) {
        const { rows } = await client.query<{ folded: number; bytes: number }>(
          `select fold_counters() as folded, pg_relation_size('counter_deltas') as bytes`,
        )
        const { folded = 0, bytes = 0 } = rows[0] ?? {}
        this.#foldedSinceVacuum += folded
        isMore = folded >= largeFold
        const isDue = isMore
          ? this.#foldedSinceVacuum >= vacuumInBacklogEveryDeltas
          : this.#foldedSinceVacuum >= vacuumEveryDeltas || bytes > restingBytes
        if (!isDue || this.#closed) continue
        // What was taken leaves holes, over which every read goes. The server's own vacuum comes once a minute.
        await client.query('vacuum counter_deltas')
        this.#foldedSinceVacuum = 0
      }
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      if (this.#client !== undefined) client.release(failure)
      this.#client = undefined
    }
  }

  /** Breaks off what is under way: another processor does it, or this one when it is back. */
  close(): void {
    this.#closed = true
    this.#client?.release(new Error('the processor stops'))
    this.#client = undefined
  }
}
