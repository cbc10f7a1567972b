import type { Pool, PoolClient } from 'pg'
import type { Logger } from 'pino'
import type { ProcessingFigures } from './processing-figures.ts'

/** There is probably more where a fold took this many: 50,000 is the most. */
const largeFold = 40_000
const vacuumEveryDeltas = 20_000
/** While there is more to fold. Without it the table grew as long as a backlog lasted, and each fold began behind all before it. */
const vacuumInBacklogEveryDeltas = 250_000
/** A table that is larger when little is in it was not freed by whoever folded last: another processor, or one that is gone. */
const restingBytes = 4_000_000
/** A third of the time between two rounds, so that rolling up a huge day leaves the database to those who store clicks. */
const rollUpForMs = 1_000

export interface CounterFoldingOptions {
  /** Of one connection, whose statements may take a minute: deltas of 100 million visitors' hashes are folded in one. */
  readonly pool: Pool
  readonly figures: Pick<ProcessingFigures, 'foldFailed'>
  readonly logger: Logger
}

interface Fold {
  readonly folded: number
  readonly set_aside: number
  readonly refusal: string | null
  readonly bytes: number
}

/**
 * Moves what batches have added into the counters, and rolls these up (decisions 0010 and 0018). Of several processors that do
 * it at once, one does.
 */
export class CounterFolding {
  readonly #options: CounterFoldingOptions
  #client: PoolClient | undefined
  #closed = false
  #foldedSinceVacuum = 0

  constructor(options: CounterFoldingOptions) {
    this.#options = options
  }

  /**
   * Folds until little is left, then rolls up for about a second, in transactions of their own.
   * @throws what PostgreSQL said; what is not folded or rolled up stays, and is read as it is.
   */
  async fold(): Promise<void> {
    const { pool, figures, logger } = this.#options
    const client = await pool.connect()
    this.#client = client
    let failure: Error | undefined
    try {
      await this.#foldDeltas(client)
      await this.#rollUp(client)
    } catch (error) {
      failure = error as Error
      if (!this.#closed) {
        figures.foldFailed('failed')
        logger.error({ err: error }, 'counters not folded')
      }
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

  async #foldDeltas(client: PoolClient): Promise<void> {
    for (let isMore = true; isMore && !this.#closed; ) {
      const { rows } = await client.query<Fold>(
        `select folded, set_aside, refusal, pg_relation_size('counter_deltas') as bytes from fold_counter_deltas()`,
      )
      const { folded = 0, set_aside: setAside = 0, refusal, bytes = 0 } = rows[0] ?? {}
      if (setAside > 0) {
        this.#options.figures.foldFailed('set_aside')
        this.#options.logger.error({ refusal }, 'a delta was set aside: it could not be added to its counter')
      }
      this.#foldedSinceVacuum += folded
      // What is behind a refused delta is folded in smaller steps until that one is found.
      isMore = folded >= largeFold || setAside > 0 || (folded > 0 && refusal !== null)
      const isDue = isMore
        ? this.#foldedSinceVacuum >= vacuumInBacklogEveryDeltas
        : this.#foldedSinceVacuum >= vacuumEveryDeltas || bytes > restingBytes
      if (!isDue || this.#closed) continue
      // What was taken leaves holes, over which every read goes. The server's own vacuum comes once a minute.
      await client.query('vacuum counter_deltas')
      this.#foldedSinceVacuum = 0
    }
  }

  async #rollUp(client: PoolClient): Promise<void> {
    const stopAtMs = performance.now() + rollUpForMs
    for (let isMore = true; isMore && !this.#closed && performance.now() < stopAtMs; ) {
      const { rows } = await client.query<{ read: number }>('select roll_up_counters() as read')
      isMore = (rows[0]?.read ?? 0) > 0
    }
  }
}
