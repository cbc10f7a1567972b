import { createDatabaseOn } from '@clicktally/database/connection.ts'
import type { PoolClient } from 'pg'
import type { ConnectionSource } from '../replica/fallback-pool.ts'
import type { CountsFilter } from '../request/counts-filter.ts'
import type { SketchCache } from '../visitors/sketch-cache.ts'
import { type CounterState, counterState, type RolledUpBefore } from './counter-state.ts'
import { type Counts, counts } from './counts.ts'
import { inRawSnapshot } from './snapshot.ts'

type CountsAndState = Counts & Pick<CounterState, 'asOf'>

/**
 * Reads counts with one statement each (decision 0033).
 *
 * Which buckets to read depends on the roll-up horizons, so it remembers those that the last statement returned. Older ones are
 * as good: horizons only advance, and what is before them stays exact.
 */
export class CountsReader {
  readonly #pool: ConnectionSource
  readonly #sketches: SketchCache
  #known: RolledUpBefore | undefined

  constructor(pool: ConnectionSource, sketches: SketchCache) {
    this.#pool = pool
    this.#sketches = sketches
  }

  /** @throws the database error */
  async read(filter: CountsFilter): Promise<CountsAndState> {
    const client = await this.#pool.connect()
    let failure: Error | undefined
    try {
      return await this.#readWith(client, filter)
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      client.release(failure)
    }
  }

  /** The counts of two ranges, in one snapshot. @throws the database error */
  async readBoth(filter: CountsFilter, compared: CountsFilter): Promise<readonly [CountsAndState, CountsAndState]> {
    return await inRawSnapshot(this.#pool, async ({ client }) => [
      await this.#readWith(client, filter),
      await this.#readWith(client, compared),
    ])
  }

  async #readWith(client: PoolClient, filter: CountsFilter): Promise<CountsAndState> {
    const known = this.#known ?? (await counterState(createDatabaseOn(client))).rolledUpBefore
    const { rolledUpBefore, ...answer } = await counts(client, filter, known, this.#sketches)
    this.#known = rolledUpBefore
    // Another replica may lag behind, and so may a database that was restored from a backup.
    return isBehind(rolledUpBefore, known) ? await this.#readWith(client, filter) : answer
  }
}

function isBehind(horizons: RolledUpBefore, known: RolledUpBefore): boolean {
  return horizons.month < known.month || horizons.day < known.day || horizons.hour < known.hour
}
