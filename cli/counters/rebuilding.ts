import { setTimeout as sleep } from 'node:timers/promises'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely, Transaction } from 'kysely'
import type { CounterKey } from '../queries/counters/counter-differences.ts'
import { mendCounters } from '../queries/counters/mend-counters.ts'

/** Repairing counters together reads all clicks of their minutes, while folds wait. */
const maxKeys = 2_000
const maxSpanMs = 10 * 60_000
/** Unfolded deltas accumulate meanwhile, and slow down the api. */
const defaultWithinMs = 4_000
/** For a single bucket, which cannot be divided. */
const withinMsForOne = 120_000
const maxTries = 10
/** Deadlock, lock timeout (a fold takes a second or two), serialization failure: a retry succeeds. */
const passing = new Set(['40P01', '55P03', '40001'])

export interface RebuildOptions<Key extends CounterKey> {
  readonly interruption: AbortSignal
  /** Receives the number of keys that are done. */
  readonly onProgress?: (keys: number) => void
  /** Statement timeout for several buckets. Those that exceed it are divided. */
  readonly withinMs?: number
  /** What to do in the same transaction before these counters are recomputed. Runs again if the transaction is retried. */
  readonly before?: (transaction: Transaction<Tables>, keys: readonly Key[]) => Promise<void>
}

/**
 * Recomputes the counters of these keys and returns how many were changed. If it fails, the counters repaired so far stay
 * repaired.
 *
 * @param keys grouped by bucket width, each group ordered by time
 */
export async function rebuildCounters<Key extends CounterKey>(
  db: Kysely<Tables>,
  keys: readonly Key[],
  options: RebuildOptions<Key>,
): Promise<number> {
  let mended = 0
  for (let done = 0; done < keys.length && !options.interruption.aborted; ) {
    const together = keys.slice(done, done + maxKeys)
    const other = together.findIndex((key) => !isNear(key, together[0]))
    if (other !== -1) together.length = other
    mended += await mendTogether(db, together, options)
    done += together.length
    options.onProgress?.(done)
  }
  return mended
}

function isNear(key: CounterKey, first: CounterKey | undefined): boolean {
  return key.bucket === first?.bucket && key.start.getTime() - first.start.getTime() < maxSpanMs
}

async function mendTogether<Key extends CounterKey>(
  db: Kysely<Tables>,
  keys: readonly Key[],
  options: RebuildOptions<Key>,
): Promise<number> {
  const { withinMs = defaultWithinMs, before } = options
  const starts = [...new Set(keys.map(({ start }) => start.getTime()))]
  const isOne = starts.length === 1
  for (let tries = 1; ; tries += 1) {
    try {
      return await mendCounters(db, keys, isOne ? withinMsForOne : withinMs, (transaction) =>
        before?.(transaction, keys),
      )
    } catch (error) {
      const state = sqlStateOf(error) ?? ''
      if (state === '57014' && !isOne) {
        const middle = starts[starts.length >> 1] ?? 0
        const earlier = keys.filter(({ start }) => start.getTime() < middle)
        const later = keys.filter(({ start }) => start.getTime() >= middle)
        return (await mendTogether(db, earlier, options)) + (await mendTogether(db, later, options))
      }
      if (!passing.has(state) || tries === maxTries) throw error
      await sleep(50 * 2 ** Math.min(tries, 5) * (0.75 + Math.random() / 2))
    }
  }
}
