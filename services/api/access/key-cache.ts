import { readKeySnapshot, readKeyVersion } from '@clicktally/database/key-snapshot.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import { KeyRing } from '@clicktally/keys/key-ring.ts'
import type { Kysely } from 'kysely'
import { isConnectionLost } from '../errors.ts'

/** Keys that were read at most this long ago are used without another query. */
const freshMs = 5_000
/** Older keys are not used at all, because a revoked key must be refused within 60 s. */
const usableMs = 45_000
/** As many as a pool has connections (DATABASE_CONNECTIONS is at most 100). */
const maxLosses = 100

/**
 * Caches the keys of the database. They are read again on use when they are more than 5 seconds old, or lack what is looked for:
 * a key may be used as soon as it was created.
 */
export class KeyCache {
  readonly #db: Kysely<Tables>
  readonly #now: () => number
  readonly #ring = new KeyRing()
  #readAtMs = -Infinity
  #reading: Promise<void> | undefined

  /** @param now a monotonic clock, in milliseconds */
  constructor(db: Kysely<Tables>, now: () => number = () => performance.now()) {
    this.#db = db
    this.#now = now
  }

  /**
   * The keys as they were in the database at most 45 seconds ago.
   *
   * @throws the database error if the cached keys are older and cannot be read again
   */
  async keys(): Promise<KeyRing> {
    if (this.#now() - this.#readAtMs > freshMs) {
      try {
        await this.#readOnce()
      } catch (error) {
        if (this.#now() - this.#readAtMs > usableMs) throw error
      }
    }
    return this.#ring
  }

  /**
   * What `look` finds among the keys, or else among those read after this call. However many calls wait, one query runs at a time.
   *
   * @returns undefined if it does not exist
   * @throws the database error if it is not among the cached keys and they cannot be read again
   */
  async find<Found>(look: (keys: KeyRing) => Found | undefined): Promise<Found | undefined> {
    const found = look(await this.keys())
    if (found !== undefined) return found
    // A reading that has begun already may not see a key that was created since.
    await this.#reading?.catch(() => {})
    await this.#readOnce()
    return look(this.#ring)
  }

  /** Reads the keys, together with all who wait for the same reading. */
  #readOnce(): Promise<void> {
    this.#reading ??= this.#readDespiteLoss().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** Again if the pool has handed out a connection whose server had just ended, which it may do once for each that was open. */
  async #readDespiteLoss(): Promise<void> {
    for (let losses = 0; ; losses += 1) {
      try {
        return await this.#read()
      } catch (error) {
        if (!isConnectionLost(error) || losses === maxLosses) throw error
      }
    }
  }

  async #read(): Promise<void> {
    const askedAtMs = this.#now()
    const isCurrent = this.#ring.version === (await readKeyVersion(this.#db))
    if (!isCurrent) this.#ring.replace(await readKeySnapshot(this.#db, Date.now(), { forIngest: false }))
    this.#readAtMs = askedAtMs
  }
}
