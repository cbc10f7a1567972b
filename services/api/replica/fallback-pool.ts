import type { Pool, PoolClient } from 'pg'

/** What queries need of a pool. */
export type ConnectionSource = Pick<Pool, 'end' | 'options'> & { connect(): Promise<PoolClient> }

/** A pool, and whether it may be used now. Default: always. */
export interface PoolChoice {
  readonly pool: Pool
  readonly isUsable?: () => boolean
}

/**
 * Connects to the first pool that may be used and can connect. A connection belongs to one server, so an answer that is read from
 * one connection has `asOf` and counts from the same.
 */
export class FallbackPool implements ConnectionSource {
  readonly #choices: readonly PoolChoice[]

  /** @param choices in order of preference; one is always usable */
  constructor(choices: readonly PoolChoice[]) {
    this.#choices = choices
  }

  /** Of the first pool. */
  get options(): Pool['options'] {
    const [first] = this.#choices
    if (first === undefined) throw new RangeError('there is no pool')
    return first.pool.options
  }

  async connect(): Promise<PoolClient> {
    let failure: unknown = new Error('no database may be used')
    for (const { pool, isUsable = () => true } of this.#choices) {
      if (!isUsable()) continue
      try {
        return await pool.connect()
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  /** Does nothing: who has opened the pools ends them. */
  async end(): Promise<void> {}
}
