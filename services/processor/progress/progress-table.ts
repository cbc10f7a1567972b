import type { Pool } from 'pg'

/** The content of a process's row. */
export interface Progress {
  /** As far as this process is concerned, everything accepted before is counted. Milliseconds since 1970, or infinite. */
  readonly countedThroughMs: number
  /** Whether it holds messages of unknown age. They are covered by the row of their former holder, which still exists. */
  readonly holdsUnknown: boolean
  /** Whether the report follows a round trip on each channel. */
  readonly isFenced: boolean
  /** The markers of its connections. */
  readonly connections: readonly string[]
}

/** The row of another process. */
export interface OtherProgress {
  readonly processor: string
  readonly reports: number
  readonly connections: readonly string[]
}

/** One process's access to the table `processor_progress`. */
export class ProgressTable {
  readonly #pool: Pool
  readonly #processor: string
  readonly #name: string
  readonly #region: string

  /**
   * @param processor a UUID, unique for each process
   * @param region of the queue that it consumes. Only processes of the same queue take messages over from each other, and only they can
   * ask its broker which of them are gone
   */
  constructor(pool: Pool, processor: string, name: string, region = '') {
    this.#pool = pool
    this.#processor = processor
    this.#name = name
    this.#region = region
  }

  /**
   * Writes the row of this process. A new row, and one that covers messages of unknown age, gets the minimum of all rows of the region.
   *
   * @returns the time in the row now
   * @throws the database error
   */
  async write({ countedThroughMs, holdsUnknown, isFenced, connections }: Progress): Promise<number> {
    const { rows } = await this.#pool.query<{ counted_through: Date | number }>({
      name: 'write-progress',
      text: `
        insert into processor_progress as own (processor, name, counted_through, reports, connections, region)
        values (
          $1, $2,
          least($3, coalesce((select min(counted_through) from processor_progress where region = $7), '-infinity')),
          $5, $6, $7)
        on conflict (processor) do update set
          counted_through = case when $4 then excluded.counted_through else $3 end,
          reports = own.reports + excluded.reports, connections = excluded.connections, reported_at = clock_timestamp()
        returning counted_through`,
      values: [
        this.#processor,
        this.#name,
        asTimestamp(countedThroughMs),
        holdsUnknown,
        isFenced ? 1 : 0,
        [...connections],
        this.#region,
      ],
    })
    return asMs(rows[0]?.counted_through)
  }

  /** The rows of all other processes of the region. @throws the database error */
  async readOthers(): Promise<OtherProgress[]> {
    const { rows } = await this.#pool.query<OtherProgress>({
      name: 'read-progress',
      text: 'select processor, reports, connections from processor_progress where processor <> $1 and region = $2',
      values: [this.#processor, this.#region],
    })
    return rows
  }

  /**
   * Removes the row of a process that is gone, and lowers this process's row to it, in one statement.
   *
   * @returns the time in the removed row; undefined if that row has changed meanwhile or this process has no row
   * @throws the database error
   */
  async takeOver({ processor, connections }: OtherProgress): Promise<number | undefined> {
    const { rows } = await this.#pool.query<{ counted_through: Date | number }>(
      `with own as (
         select from processor_progress where processor = $1 for update
       ), gone as (
         delete from processor_progress
         where processor = $2 and connections = $3 and exists (select from own)
         returning counted_through
       )
       update processor_progress as own set counted_through = least(own.counted_through, gone.counted_through)
       from gone where own.processor = $1
       returning gone.counted_through`,
      [this.#processor, processor, connections],
    )
    return rows.length === 0 ? undefined : asMs(rows[0]?.counted_through)
  }
}

function asTimestamp(ms: number): Date | string {
  if (Number.isFinite(ms)) return new Date(ms)
  return ms > 0 ? 'infinity' : '-infinity'
}

/** node-postgres returns infinite timestamps as numbers. */
function asMs(timestamp: Date | number | undefined): number {
  return timestamp === undefined ? -Infinity : Number(timestamp)
}
