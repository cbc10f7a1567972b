import type { SnapshotKey } from '@clicktally/keys/key-snapshot.ts'

interface Bucket {
  tokens: number
  filledAtMs: number
}

/** Details of an exceeded key limit. */
export interface ExceededLimit {
  /** Milliseconds until the clicks would be within the limit. */
  readonly waitMs: number
  /** The number of clicks that would be within the limit now. */
  readonly remaining: number
}

/** The burst size, in seconds at the average rate. */
const burstSeconds = 2

/**
 * A token bucket for each key that has a limit: `clicksPerSecond` on average, twice as many in a burst. Each ingest has
 * separate buckets. Only verified keys get one, so there are never more buckets than keys.
 */
export class KeyLimits {
  readonly #buckets = new Map<string, Bucket>()

  /**
   * Takes as many tokens as there are clicks, all or none.
   *
   * @param nowMs monotonic, in milliseconds
   * @returns undefined if the clicks are within the limit
   */
  take({ id, clicksPerSecond }: SnapshotKey, clicks: number, nowMs: number): ExceededLimit | undefined {
    if (clicksPerSecond === undefined) return undefined
    const most = Math.max(clicksPerSecond * burstSeconds, maxBatch)
    const bucket = this.#buckets.get(id) ?? { tokens: most, filledAtMs: nowMs }
    bucket.tokens = Math.min(most, bucket.tokens + ((nowMs - bucket.filledAtMs) / 1_000) * clicksPerSecond)
    bucket.filledAtMs = nowMs
    this.#buckets.set(id, bucket)
    if (bucket.tokens < clicks) {
      return { waitMs: ((clicks - bucket.tokens) / clicksPerSecond) * 1_000, remaining: Math.floor(bucket.tokens) }
    }
    bucket.tokens -= clicks
    return undefined
  }
}

/** The minimum size of a bucket: otherwise a full batch could never be sent. */
const maxBatch = 500
