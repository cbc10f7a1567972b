import type { Pool, PoolClient } from 'pg'
import type { Logger } from 'pino'
import type { FoldMetrics } from './fold-metrics.ts'

/** A fold of this size probably left more deltas behind; the maximum is 50,000. */
const largeFold = 40_000
const vacuumEveryDeltas = 20_000
/** During a backlog. Without it the table grew until the backlog ended, and each fold had to scan past all dead rows. */
const vacuumInBacklogEveryDeltas = 250_000
/** A nearly empty table above this size was not vacuumed after the last fold, by another or a stopped process. */
const restingBytes = 4_000_000
/** A third of the interval between two runs, so that a huge day leaves most of the database's time to writers. */
const rollUpForMs = 1_000

export interface CounterFoldingOptions {
  /** With one connection and a statement timeout above a minute: one statement may fold deltas with 100 million hashes. */
  readonly pool: Pool
  readonly metrics: Pick<FoldMetrics, 'foldFailed'>
  readonly logger: Logger
}

interface Fold {
  readonly folded: number
  readonly set_aside: number
  readonly refusal: string | null
  readonly bytes: number
}

/**
 * Folds deltas into the counters, rolls these up, and packs the minutes of hours that are over (decisions 0010, 0018 and 0044). If several
 * processes do so at the same time, a lock lets one of them proceed.
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
   * Folds until few deltas are left, then rolls up and packs for about a second. Each step is a transaction.
   *
   * @throws the database error. Deltas that are not folded, and counters not rolled up or packed, stay valid for readers.
   */
  async fold(): Promise<void> {
    const { pool, metrics, logger } = this.#options
    const client = await pool.connect()
    this.#client = client
    let failure: Error | undefined
    try {
      await this.#foldDeltas(client)
      await this.#rollUpAndPack(client)
    } catch (error) {
      failure = error as Error
      if (!this.#closed) {
        metrics.foldFailed('failed')
        logger.error({ err: error }, 'counters not folded')
      }
      throw error
    } finally {
      if (this.#client !== undefined) client.release(failure)
      this.#client = undefined
    }
  }

  /** Aborts the current fold. Another process, or the next start, continues. */
  close(): void {
    this.#closed = true
    this.#client?.release(new Error('the process is stopping'))
    this.#client = undefined
  }

  async #foldDeltas(client: PoolClient): Promise<void> {
    for (let isMore = true; isMore && !this.#closed; ) {
      const { rows } = await client.query<Fold>(
        `select folded, set_aside, refusal, pg_relation_size('counter_deltas') as bytes from fold_counter_deltas()`,
      )
      const { folded = 0, set_aside: setAside = 0, refusal, bytes = 0 } = rows[0] ?? {}
      if (setAside > 0) {
        this.#options.metrics.foldFailed('set_aside')
        this.#options.logger.error({ refusal }, 'delta set aside: it could not be added to its counter')
      }
      this.#foldedSinceVacuum += folded
      // Smaller steps continue until they have isolated the refused delta.
      isMore = folded >= largeFold || setAside > 0 || (folded > 0 && refusal !== null)
      const isDue = isMore
        ? this.#foldedSinceVacuum >= vacuumInBacklogEveryDeltas
        : this.#foldedSinceVacuum >= vacuumEveryDeltas || bytes > restingBytes
      if (!isDue || this.#closed) continue
      // Folded deltas leave dead rows, which every query scans. Autovacuum runs only once a minute.
      await client.query('vacuum counter_deltas')
      this.#foldedSinceVacuum = 0
    }
  }

  async #rollUpAndPack(client: PoolClient): Promise<void> {
    const endMs = performance.now() + rollUpForMs
    await this.#repeat(client, 'roll_up_counters()', endMs)
    await this.#repeat(client, 'pack_minutes()', endMs)
  }

  /** Calls a function that returns the number of rows it has processed, until nothing is due. */
  async #repeat(client: PoolClient, step: string, endMs: number): Promise<void> {
    for (let rowsOfStep = 1; rowsOfStep > 0 && !this.#closed && performance.now() < endMs; ) {
      const { rows } = await client.query<{ rows: number }>(`select ${step} as rows`)
      rowsOfStep = rows[0]?.rows ?? 0
    }
  }
}
