import type { ArchiveStore } from '@clicktally/archive/archive-store.ts'
import type { Pool, PoolClient } from 'pg'
import type { Logger } from 'pino'
import { eraseVisitors } from './archiving/erasures.ts'
import { type ArchivingOptions, archiveRawClicks } from './archiving/raw-click-archiving.ts'
import type { Step } from './archiving/step.ts'
import { shrinkCounters } from './compaction/counter-tables.ts'
import { compactKeys } from './compaction/key-compaction.ts'
import { type Ages, expireRecords } from './expiry/expiry.ts'

export interface JanitorOptions {
  /** With UTC as its time zone, and a statement timeout of minutes: statements read whole partitions. */
  readonly pool: Pool
  /** Undefined: there are no archives, so no raw click is removed. */
  readonly store: ArchiveStore | undefined
  readonly ages: Ages
  readonly metrics: ArchivingOptions['metrics']
  readonly logger: Logger
  readonly onStep?: Step
  /** Milliseconds. Default: an hour. */
  readonly eraseAfterMs?: number
}

/**
 * Removes what has become too old: records of past work, and raw clicks after they were archived. Returns space that is no longer needed.
 *
 * Everything that it does in the database goes through one connection, whose session holds a lock. If the connection is lost, so is the lock,
 * and the run fails before another one can begin.
 */
export class Janitor {
  readonly #options: JanitorOptions
  readonly #closing = new AbortController()

  constructor(options: JanitorOptions) {
    this.#options = options
  }

  /**
   * Does everything that is due.
   *
   * @returns false if another janitor is running
   * @throws the first error, after everything else was tried. What was done stays valid, and the next run continues.
   */
  async run(): Promise<boolean> {
    const client = await this.#options.pool.connect()
    try {
      const { rows } = await client.query<{ is_free: boolean }>(
        `select pg_try_advisory_lock(hashtext('clicktally janitor')) as is_free`,
      )
      if (rows[0]?.is_free !== true) return false
      await client.query('update janitor_runs set started_at = clock_timestamp(), ended_at = null')
      const [failure] = await this.#work(client)
      await client.query(
        `update janitor_runs set ended_at = clock_timestamp(), failure = $1,
           succeeded_at = case when $1::text is null then clock_timestamp() else succeeded_at end`,
        [failure?.message ?? null],
      )
      if (failure !== undefined) throw failure
      return true
    } finally {
      // Closed, which frees the lock.
      client.release(true)
    }
  }

  /** Lets the current run end with its current step. */
  close(): void {
    this.#closing.abort(new Error('the process is stopping'))
  }

  async #work(client: PoolClient): Promise<Error[]> {
    const { store, ages, metrics, logger, onStep = () => {}, eraseAfterMs = 3_600_000 } = this.#options
    const { signal } = this.#closing
    const failures: Error[] = []
    for (const part of [
      () => expireRecords(client, ages, logger, signal),
      () => archiveRawClicks(client, { store, metrics, logger, signal, onStep }),
      () => eraseVisitors(client, { store, logger, signal, onStep, afterMs: eraseAfterMs }),
      () => shrinkCounters(client),
      () => compactKeys(client, { logger, signal }),
    ]) {
      try {
        await part()
      } catch (error) {
        failures.push(error as Error)
      }
    }
    return failures
  }
}
