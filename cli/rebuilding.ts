import { setTimeout as sleep } from 'node:timers/promises'
import { sqlStateOf } from '@clicktally/database/sqlstate.ts'
import type { Tables } from '@clicktally/database/tables.ts'
import type { Kysely } from 'kysely'
import type { CounterKey } from './queries/counter-differences.ts'
import { mendCounters } from './queries/mend-counters.ts'

/** Of counters that are mended together all clicks of their minutes are read, and the folds wait meanwhile. */
const maxKeys = 2_000
const maxSpanMs = 10 * 60_000
/** What the folds leave to us grows meanwhile, and slows the api's answers down. */
const defaultWithinMs = 4_000
/** For a single bucket, which can't be divided. */
const withinMsForOne = 120_000
const maxTries = 10
/** Deadlock, lock timeout (a fold takes a second or two), serialization failure: who tries again succeeds. */
const passing = new Set(['40P01', '55P03', '40001'])

/**
 * Mends the counters of these keys, which come bucket by bucket, each ordered by time; returns how many were changed. What was mended stays so
 * wherever this is broken off.
 */
export async function rebuildCounters(
  db: Kysely<Tables>,
  keys: readonly CounterKey[],
  interruption: AbortSignal,
  onProgress: (keys: number) => void,
  withinMs: number = defaultWithinMs,
): Promise<number> {
  let mended = 0
  for (let done = 0; done < keys.length && !interruption.aborted; ) {
    const together = keys.slice(done, done + maxKeys)
    const other = together.findIndex((key) => !isNear(key, together[0]))
    if (other !== -1) together.length = other
    mended += await mendTogether(db, together, withinMs)
    done += together.length
    onProgress(done)
  }
  return mended
}

function isNear(key: CounterKey, first: CounterKey | undefined): boolean {
  return key.bucket === first?.bucket && key.start.getTime() - first.start.getTime() < maxSpanMs
}

async function mendTogether(db: Kysely<Tables>, keys: readonly CounterKey[], withinMs: number): Promise<number> {
  const starts = [...new Set(keys.map(({ start }) => start.getTime()))]
  const isOne = starts.length === 1
  for (let tries = 1; ; tries += 1) {
    try {
      return await mendCounters(db, keys, isOne ? withinMsForOne : withinMs)
    } catch (error) {
      const state = sqlStateOf(error) ?? ''
      if (state === '57014' && !isOne) {
        const middle = starts[starts.length >> 1] ?? 0
        const before = keys.filter(({ start }) => start.getTime() < middle)
        const after = keys.filter(({ start }) => start.getTime() >= middle)
        return (await mendTogether(db, before, withinMs)) + (await mendTogether(db, after, withinMs))
      }
      if (!passing.has(state) || tries === maxTries) throw error
      await sleep(50 * 2 ** Math.min(tries, 5) * (0.75 + Math.random() / 2))
    }
  }
}
