import { asOfQuery } from '@clicktally/database/freshness.ts'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { ClickConsumer } from './click-consumer.ts'

const reportEveryMs = 250

interface DatabaseTime {
  readonly now: Date
}

/**
 * Tells the database, a few times a second, up to when this processor has counted: what the api's `asOf` rests on. By the
 * database's clock, since a processor's may be wrong.
 * A row that is not renewed belongs to a processor that is gone, or that is cut off with what it holds.
 */
export class ProgressReport {
  readonly #processor: string
  readonly #pool: Pool
  readonly #logger: Logger
  #timer: NodeJS.Timeout | undefined
  #reporting: Promise<void> | undefined
  #closed = false
  /** The database's clock less performance.now(), in milliseconds. A report may be long on its way, so it tells a time. */
  #clockAheadMs: number | undefined

  /** @param processor its name, the same after a restart: then it goes on with the row of the process before it */
  constructor(processor: string, pool: Pool, logger: Logger) {
    this.#processor = processor
    this.#pool = pool
    this.#logger = logger
  }

  /**
   * To be called before anything is taken from the queue: from here on what this processor holds is reckoned with, even if
   * it should never report. It begins with what all others have counted.
   *
   * @throws what the database said.
   */
  async announce(): Promise<void> {
    const { rows } = await this.#pool.query<DatabaseTime>(
      `with own as (
         insert into processor_progress (processor, counted_through, updated_at)
         select $1, as_of, clock_timestamp() from (${asOfQuery}) as others where as_of is not null
         on conflict (processor) do update set counted_through = excluded.counted_through, updated_at = excluded.updated_at
       )
       select clock_timestamp() as now`,
      [this.#processor],
    )
    this.#readClock(rows)
  }

  start(consumer: Pick<ClickConsumer, 'progress'>, suspects: Pick<ClickConsumer, 'isEmpty'>): void {
    this.#timer = setTimeout(() => {
      this.#reporting = this.#report(consumer, suspects).finally(() => {
        if (!this.#closed) this.start(consumer, suspects)
      })
    }, reportEveryMs)
  }

  /** Stops, and takes this processor out of the reckoning: it holds nothing any more. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#reporting
    await this.#pool
      .query('delete from processor_progress where processor = $1', [this.#processor])
      .catch((error) => this.#logger.warn({ err: error }, 'progress not removed'))
  }

  async #report(consumer: Pick<ClickConsumer, 'progress'>, suspects: Pick<ClickConsumer, 'isEmpty'>): Promise<void> {
    try {
      const progress = await consumer.progress()
      // What is suspect was accepted before, and is out of the order of the queue.
      if (progress === undefined || this.#clockAheadMs === undefined || !(await suspects.isEmpty())) return
      const { writtenThroughMs, emptyAtMs } = progress
      const countedThroughMs = Math.max(writtenThroughMs, emptyAtMs === undefined ? 0 : emptyAtMs + this.#clockAheadMs)
      if (countedThroughMs === 0) return
      const { rows } = await this.#pool.query<DatabaseTime>({
        name: 'report-progress',
        // What crashed processors have left is removed in passing: each has a name of its own, and there may be many.
        text: `with gone as (delete from processor_progress where updated_at < clock_timestamp() - interval '1 hour')
               insert into processor_progress as progress (processor, counted_through, updated_at)
               values ($1, least($2, clock_timestamp()), clock_timestamp())
               on conflict (processor) do update set
                 counted_through = greatest(progress.counted_through, excluded.counted_through),
                 updated_at = excluded.updated_at
               returning updated_at as now`,
        values: [this.#processor, new Date(countedThroughMs)],
      })
      this.#readClock(rows)
    } catch (error) {
      this.#logger.debug({ err: error }, 'progress not reported')
    }
  }

  /** An answer takes its time: what is read here is a little behind, so that no report claims too much. */
  #readClock([time]: DatabaseTime[]): void {
    if (time !== undefined) this.#clockAheadMs = time.now.getTime() - performance.now()
  }
}
