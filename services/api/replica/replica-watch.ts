import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'

export interface ReplicaWatchOptions {
  readonly primary: Pool
  readonly replica: Pool
  /** A replica that is farther behind, in milliseconds, is not read. */
  readonly maxLagMs: number
  readonly logger: Logger
  /** Default: 1,000 ms. */
  readonly everyMs?: number
  /** A server that has not answered for so long is taken to be away. Default: 2,000 ms. */
  readonly lookTimeoutMs?: number
}

/**
 * Watches how far a replica is behind the primary.
 *
 * States: `unknown` (initially, or the replica does not answer) → `current` ⇄ `behind`. It is read only while it is current.
 *
 * The lag is that of the newest progress report in it. Processors write several a second, so it needs no write of its own, no clock
 * but the database's, and no function that managed databases lack. Without a processor nothing is counted and nothing is behind. While
 * the primary does not answer, nothing is committed either: the replica is compared with the newest report that was seen before.
 */
export class ReplicaWatch {
  readonly #options: ReplicaWatchOptions
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  /** The newest report in the primary, in milliseconds since 1970 by the database's clock. */
  #primaryAtMs = -Infinity
  #lagMs: number | undefined

  constructor(options: ReplicaWatchOptions) {
    this.#options = options
  }

  /** In milliseconds; undefined while unknown. */
  get lagMs(): number | undefined {
    return this.#lagMs
  }

  /** Whether the replica may be read. */
  get isCurrent(): boolean {
    return this.#lagMs !== undefined && this.#lagMs <= this.#options.maxLagMs
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { everyMs = 1_000 } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#look()
      await sleep(everyMs, undefined, { signal }).catch(() => {})
    }
  }

  async #look(): Promise<void> {
    const { primary, replica, logger } = this.#options
    const wasCurrent = this.isCurrent
    const [inPrimary, inReplica] = await Promise.all([this.#newestReport(primary), this.#newestReport(replica)])
    if (inPrimary !== undefined) this.#primaryAtMs = inPrimary
    this.#lagMs = inReplica === undefined ? undefined : Math.max(0, this.#primaryAtMs - inReplica)
    if (this.isCurrent === wasCurrent) return
    const { lagMs } = this
    if (wasCurrent) logger.warn({ lagMs }, 'the replica is behind or does not answer: the primary is read instead')
    else logger.info({ lagMs }, 'the replica is read')
  }

  /** Milliseconds since 1970, -Infinity if there is none, undefined if the server does not answer in time. */
  async #newestReport(pool: Pool): Promise<number | undefined> {
    const { lookTimeoutMs = 2_000 } = this.#options
    const reading = pool
      .query<{ at: number }>(
        `select coalesce(extract(epoch from max(reported_at)) * 1000, '-infinity'::float8)::float8 as at from processor_progress`,
      )
      .then(
        ({ rows }) => rows[0]?.at,
        () => undefined,
      )
    return await Promise.race([reading, sleep(lookTimeoutMs, undefined, { ref: false })])
  }
}
