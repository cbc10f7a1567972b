import type { LedgerStamp } from '@clicktally/message/ledger-stamp.ts'
import type { Pool } from 'pg'

/** Each connection of an ingest is a producer: far fewer are active at a time. */
const maxKnown = 1_000

/** Makes sure that the producers of messages have a row. */
export class KnownProducers {
  readonly #pool: Pool
  readonly #known = new Set<string>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /**
   * In a statement of its own: the first messages of a producer may be at several processors, which would wait for each other.
   *
   * @throws the database error
   */
  async add(messages: readonly { readonly stamp: LedgerStamp }[]): Promise<void> {
    const unknown = messages.filter(({ stamp }) => !this.#known.has(stamp.producer)).map(({ stamp }) => stamp)
    if (unknown.length === 0) return
    const stamps = [...new Map(unknown.map((stamp) => [stamp.producer, stamp])).values()]
    stamps.sort((a, b) => (a.producer < b.producer ? -1 : 1))
    await this.#pool.query(
      `insert into producers (producer, previous, previous_confirmed, previous_unknown)
       select producer, previous, confirmed, unknown::bigint[]
       from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) as stamp (producer, previous, confirmed, unknown)
       on conflict (producer) do nothing`,
      [
        stamps.map(({ producer }) => producer),
        stamps.map(({ previous }) => previous?.producer ?? null),
        stamps.map(({ previous }) => previous?.confirmed ?? null),
        stamps.map(({ previous }) => `{${previous?.unknown.join(',') ?? ''}}`),
      ],
    )
    if (this.#known.size > maxKnown) this.#known.clear()
    for (const { producer } of stamps) this.#known.add(producer)
  }
}
