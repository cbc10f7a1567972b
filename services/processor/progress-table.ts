import type { Pool } from 'pg'

/** What a process says of itself in its row. */
export interface Progress {
  /** Everything accepted before is counted, as far as it depends on this process. Milliseconds since 1970, or infinite. */
  readonly countedThroughMs: number
  /** Whether it has come to hold messages of which only this is known: the rows of those who had them are still there. */
  readonly holdsUnknown: boolean
  /** Whether the report was made after a round trip on each channel. */
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

/** The table `processor_progress`, as one process uses it. */
export class ProgressTable {
  readonly #pool: Pool
  readonly #processor: string
  readonly #name: string

  /** @param processor a UUID of its own for each process */
  constructor(pool: Pool, processor: string, name: string) {
    this.#pool = pool
    this.#processor = processor
    this.#name = name
  }

  /**
   * Writes the row of this process. One that is new, or holds what is not known, says no more than all rows together.
   *
   * @returns what the row says now
   * @throws what the database said
   */
  async write({ countedThroughMs, holdsUnknown, isFenced, connections }: Progress): Promise<number> {
    const { rows } = await this.#pool.query<{ counted_through: Date | number }>({
      name: 'write-progress',
      text: `
        insert into processor_progress as own (processor, name, counted_through, reports, connections)
        values ($1, $2, least($3, coalesce((select min(counted_through) from processor_progress), '-infinity')), $5, $6)
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
      ],
    })
    return asMs(rows[0]?.counted_through)
  }

  /** The rows of all other processes. @throws what the database said */
  async readOthers(): Promise<OtherProgress[]> {
    const { rows } = await this.#pool.query<OtherProgress>({
      name: 'read-progress',
      text: 'select processor, reports, connections from processor_progress where processor <> $1',
      values: [this.#processor],
    })
    return rows
  }

  /**
   * Removes the row of a process that is gone, and lowers this process's row to it, in one statement.
   *
   * @returns what the removed row said; undefined where it has changed meanwhile, or this process has no row
   * @throws what the database said
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

/** pg gives infinite timestamps as numbers. */
function asMs(timestamp: Date | number | undefined): number {
  return timestamp === undefined ? -Infinity : Number(timestamp)
}
