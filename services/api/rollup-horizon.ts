import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'

/** Up to when buckets are rolled up, in milliseconds since 1970: each that begins before these times is exact. */
export interface RolledUpBefore {
  readonly month: number
  readonly day: number
  readonly hour: number
}

/** An older horizon is right too, only more rows are read; so nobody has to ask each time. */
const keepForMs = 10_000

/** The horizon of the roll-ups, asked for every few seconds. */
export class RollupHorizon {
  readonly #db: Kysely<Tables>
  #reading: Promise<RolledUpBefore> | undefined
  #readAtMs = 0

  constructor(db: Kysely<Tables>) {
    this.#db = db
  }

  /** @throws what the database said; the next call asks again. */
  read(): Promise<RolledUpBefore> {
    if (this.#reading !== undefined && performance.now() - this.#readAtMs < keepForMs) return this.#reading
    this.#readAtMs = performance.now()
    this.#reading = this.#ask()
    this.#reading.catch(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #ask(): Promise<RolledUpBefore> {
    const row = await this.#db
      .selectFrom('rollup_horizon')
      .select(['hours_before', 'days_before', 'months_before'])
      .executeTakeFirstOrThrow()
    return {
      month: row.months_before.getTime(),
      day: row.days_before.getTime(),
      hour: row.hours_before.getTime(),
    }
  }
}
